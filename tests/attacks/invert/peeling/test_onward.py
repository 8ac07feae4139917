"""The length of a value that is known up to it, told by the gradients above it."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from attacks.invert.peeling.onward import find_length, onward
from attacks.invert.peeling.trace import read_graph
from tests.conftest import seeded


class Net(nn.Module):
    """Nothing above the first convolution has a rule; a shortcut leads round the second."""

    def __init__(self):
        super().__init__()
        self.one = nn.Conv2d(3, 12, 3, padding=1)
        self.two = nn.Conv2d(12, 12, 3, padding=1)
        self.norm = nn.GroupNorm(3, 12)
        self.last = nn.Linear(12, 5)

    def forward(self, x):
        x = F.relu(self.one(x))
        y = torch.tanh(self.norm(self.two(x))) + x
        return self.last(F.softplus(y).mean((2, 3)))


IMAGE = torch.rand(1, 3, 6, 6, generator=seeded(4), dtype=torch.float64)
LABEL = torch.tensor([3])


@pytest.fixture
def case():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = Net().double().eval()
    names = dict(model.named_parameters())
    grads = torch.autograd.grad(F.cross_entropy(model(IMAGE), LABEL), list(names.values()))
    graph = read_graph(model, (3, 6, 6))
    return graph, dict(zip(names, grads, strict=True))


@pytest.mark.parametrize("clip", [1.0, 1e-3])
@pytest.mark.parametrize("rate", [0.0, 0.7])
def test_the_length_and_the_slope_are_told_whatever_lies_above(case, clip, rate):
    graph, gradients = case
    (value,) = graph.upto(["relu"], torch.float64)(IMAGE)
    released = {k: g * clip for k, g in gradients.items()}
    visible = {k: torch.rand(g.shape, generator=seeded(2)) >= rate for k, g in gradients.items()}
    direction = value / value.norm()
    told = find_length(graph, F.cross_entropy, LABEL, released, visible, "relu", direction)
    assert told.certain
    assert told.factor == pytest.approx(float(value.norm()), rel=1e-5)
    fed = value.clone().requires_grad_()
    (slope,) = torch.autograd.grad(F.cross_entropy(onward(graph, "relu")(fed), LABEL), fed)
    assert torch.allclose(told.slope, clip * slope, rtol=1e-4, atol=1e-6 * clip)


def test_a_value_that_is_none_is_not_certain(case):
    graph, gradients = case
    wrong = torch.rand(1, 12, 6, 6, generator=seeded(5), dtype=torch.float64)
    assert not find_length(graph, F.cross_entropy, LABEL, gradients, None, "relu", wrong).certain


def test_a_release_of_the_layers_below_alone_tells_no_length(case):
    graph, gradients = case
    below = {"one.weight": gradients["one.weight"]}
    value = torch.ones(1, 12, 6, 6, dtype=torch.float64)
    assert find_length(graph, F.cross_entropy, LABEL, below, None, "relu", value) is None


def test_what_a_shortcut_passes_by_is_told_from_what_all_goes_through(case):
    graph, _ = case
    assert graph.is_passed_by_all("relu")
    assert graph.is_passed_by_all("add")
    assert not graph.is_passed_by_all("two")
    assert not graph.is_passed_by_all("tanh")
