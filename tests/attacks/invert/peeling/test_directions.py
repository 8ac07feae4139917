"""What convolutions were fed is told up to its length below layers that have no rule."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from attacks.invert.matching.clock import Clock
from attacks.invert.peeling.directions import find_directions, readable_directions
from attacks.invert.peeling.last_layer import refusal
from attacks.invert.peeling.trace import read_graph
from attacks.invert.peeling.weights import Weights
from tests.attacks.invert.peeling.test_walk import update
from tests.conftest import seeded
from victims.models.wide_resnets import StandardisedConv


@pytest.fixture
def model():
    with torch.random.fork_rng():
        torch.manual_seed(2)
        return (
            nn.Sequential(
                nn.Conv2d(3, 12, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(12, 90, 3, padding=1),
                nn.GroupNorm(3, 90),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Conv2d(90, 40, 3, padding=1),
                nn.Tanh(),
                nn.Flatten(),
                nn.Linear(360, 5),
            )
            .double()
            .eval()
        )


def find(model, images, labels, **options):
    graph = read_graph(model, (3, 6, 6))
    gradients = update(model, images, labels)
    options = {"wanted": list(graph.nodes), "batch": len(images), **options}
    found = find_directions(graph, Weights(gradients), Clock(), generator=seeded(), **options)
    true = dict(zip(found, graph.upto(list(found), torch.float64)(images), strict=True))
    return found, {
        k: v.flatten(1) / v.flatten(1).norm(dim=1, keepdim=True) for k, v in true.items()
    }


def test_inputs_under_tanh_and_group_norm_are_told(model):
    graph = read_graph(model, (3, 6, 6))
    assert [node.title for node in readable_directions(graph)] == ["6", "2"]
    assert [node.title for node in readable_directions(graph, batch=3)] == ["6"]
    images = torch.rand(1, 3, 6, 6, generator=seeded(1), dtype=torch.float64)
    found, true = find(model, images, torch.tensor([1]))
    assert list(found) == ["_5", "_1"]
    for name, value in found.items():
        assert torch.allclose(value.flatten(1), true[name], atol=1e-6)
    assert list(find(model, images, torch.tensor([1]), wanted=["_1"])[0]) == ["_1"]


def test_of_a_batch_the_input_nearest_to_the_image_is_told(model):
    images = torch.rand(2, 3, 6, 6, generator=seeded(3), dtype=torch.float64)
    found, true = find(model, images, torch.tensor([0, 3]))
    assert list(found) == ["_1"]
    cosine = found["_1"].flatten(1) @ true["_1"].T
    assert sorted(cosine.argmax(1).tolist()) == [0, 1]
    assert float(cosine.amax(1).min()) > 1 - 1e-9


def test_what_a_standardised_convolution_was_fed_is_told_though_its_rows_lose_their_means():
    with torch.random.fork_rng():
        torch.manual_seed(4)
        model = nn.Sequential(
            nn.Conv2d(3, 12, 3, padding=1),
            nn.ReLU(),
            StandardisedConv(12, 48, 3),
            nn.GroupNorm(4, 48),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(48 * 36, 5),
        ).double()
        nn.init.uniform_(model[2].gain, 0.5, 2.0)
    images = torch.rand(1, 3, 6, 6, generator=seeded(1), dtype=torch.float64)
    graph, labels = read_graph(model, (3, 6, 6)), torch.tensor([1])
    assert refusal(graph) == ""
    found, true = find(model, images, labels)
    assert list(found) == ["_1"]
    assert torch.allclose(found["_1"].flatten(1), true["_1"], atol=1e-6)
    rule = graph.nodes["_2"].rule
    told = rule.centred(Weights(update(model, images, labels)))
    model[2].weight.requires_grad_(False)
    assert torch.allclose(told.flatten(1).mean(1), torch.zeros(48).double(), atol=1e-12)
    weight = (rule.unit * model[2].gain).detach().requires_grad_()
    below = model[:2](images)
    logits = model[3:](F.conv2d(below, weight, model[2].bias, padding=1))
    (slope,) = torch.autograd.grad(F.cross_entropy(logits, labels), weight)
    assert torch.allclose(told, slope - slope.mean((1, 2, 3), keepdim=True), atol=1e-10)
    untrained = read_graph(model, (3, 6, 6)).nodes["_2"].rule
    assert untrained.centred(Weights({})) is None


def test_masked_gradients_tell_no_direction(model):
    images = torch.rand(1, 3, 6, 6, generator=seeded(1), dtype=torch.float64)
    graph = read_graph(model, (3, 6, 6))
    gradients = update(model, images, torch.tensor([1]))
    visible = {k: torch.ones_like(g, dtype=torch.bool) for k, g in gradients.items()}
    visible["2.weight"][0, 0, 0, 0] = False
    weights = Weights(gradients, visible)
    names = list(graph.nodes)
    assert list(find_directions(graph, weights, Clock(), names, generator=seeded())) == ["_5"]
