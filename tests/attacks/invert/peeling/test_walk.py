"""Small networks of every kind give their image away exactly."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from attacks.invert.matching.clock import Clock
from attacks.invert.peeling.batch import take_apart
from attacks.invert.peeling.flow import Choice, Slopes
from attacks.invert.peeling.gather import solve_input
from attacks.invert.peeling.trace import read_graph
from attacks.invert.peeling.walk import Walk
from attacks.invert.peeling.weights import Weights
from tests.conftest import seeded


class Block(nn.Module):
    """A residual block, with a strided shortcut where it changes the channels."""

    def __init__(self, channels, out, stride):
        super().__init__()
        self.first = nn.Conv2d(channels, out, 3, stride, 1)
        self.norm = nn.BatchNorm2d(out)
        self.second = nn.Conv2d(out, out, 3, 1, 1)
        self.shortcut = nn.Identity() if stride == 1 else nn.Conv2d(channels, out, 1, stride)

    def forward(self, x):
        y = F.relu(self.norm(self.first(x)))
        return F.relu(self.second(y) + self.shortcut(x))


class Dense(nn.Module):
    """Two layers side by side."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return torch.cat([torch.relu(self.conv(x)), x], 1)


CHAINS = {
    "linear": (
        nn.Flatten(),
        nn.Linear(108, 30),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(30, 20),
        nn.LeakyReLU(0.1),
        nn.Linear(20, 5),
    ),
    "convolutions and max pooling": (
        nn.Conv2d(3, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(inplace=True),
        nn.Conv2d(16, 96, 3, padding=1),
        nn.BatchNorm2d(96),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(864, 5),
    ),
    "max pooling before ReLU": (
        nn.Conv2d(3, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 96, 3, padding=1),
        nn.MaxPool2d(3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(384, 5),
    ),
    "residual blocks and average pooling": (
        nn.Conv2d(3, 24, 3, padding=1),
        nn.ReLU(),
        Block(24, 24, 1),
        Block(24, 64, 2),
        Block(64, 64, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 5),
    ),
    "leaky ReLU": (
        nn.Conv2d(3, 40, 3, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(40, 40, 3, padding=1),
        nn.LeakyReLU(0.2),
        nn.AvgPool2d(3),
        nn.Flatten(),
        nn.Linear(160, 5),
    ),
    "layers side by side": (
        nn.Conv2d(3, 20, 3, padding=1),
        nn.ReLU(),
        Dense(20),
        nn.Conv2d(40, 40, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(40, 5),
    ),
}


def network(name):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = nn.Sequential(*CHAINS[name]).double().eval()
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.reset_parameters()
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 2.0)
                nn.init.normal_(module.bias, std=0.3)
    return model


def update(model, images, labels):
    """The mean gradient of a batch, as a client would send it."""
    parameters = dict(model.named_parameters())
    loss = F.cross_entropy(model(images), labels)
    return dict(zip(parameters, torch.autograd.grad(loss, parameters.values()), strict=True))


def walked(model, gradients, **options):
    graph = read_graph(model, (3, 6, 6))
    bias = list(gradients.values())[-1]
    walk = Walk(graph, Weights(gradients), Slopes(graph, bias[None].double()), **options)
    walk.run()
    return walk


@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_gives_the_image_away_exactly(name):
    model = network(name)
    for seed in range(2):
        image = torch.rand(1, 3, 6, 6, generator=seeded(seed), dtype=torch.float64)
        walk = walked(model, update(model, image, torch.tensor([seed])))
        assert walk.stop is None
        assert torch.allclose(walk.values[walk.graph.image], image, atol=1e-6)
        known = list(walk.values)
        true = walk.graph.upto(known, torch.float64)(image)
        assert all(torch.allclose(walk.values[k], t) for k, t in zip(known, true, strict=True))


@pytest.mark.parametrize(
    "name", ["convolutions and max pooling", "residual blocks and average pooling"]
)
def test_float32_gradients_and_clipping_change_nothing(name):
    model = network(name)
    image = torch.rand(1, 3, 6, 6, generator=seeded(5), dtype=torch.float64)
    clipped = {k: (0.01 * g).float() for k, g in update(model, image, torch.tensor([1])).items()}
    walk = walked(model, clipped)
    assert torch.allclose(walk.values[walk.graph.image], image, atol=1e-3)


def test_a_mask_below_the_top_costs_rows_and_not_the_image():
    model = network("linear")
    image = torch.rand(1, 3, 6, 6, generator=seeded(), dtype=torch.float64)
    gradients = update(model, image, torch.tensor([2]))
    visible = {k: torch.ones_like(g, dtype=torch.bool) for k, g in gradients.items()}
    draw = torch.rand(gradients["1.weight"].shape, generator=seeded(1))
    visible["1.weight"] = draw > 0.5
    shown = {k: g * visible[k] for k, g in gradients.items()}
    graph = read_graph(model, (3, 6, 6))
    walk = Walk(graph, Weights(shown, visible), Slopes(graph, shown["6.bias"][None]))
    walk.run()
    assert torch.allclose(walk.values[graph.image], image, atol=1e-6)


def test_what_stops_a_walk_is_named():
    narrow = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 5),
    ).double()
    image = torch.rand(1, 3, 6, 6, generator=seeded(), dtype=torch.float64)
    gradients = update(narrow, image, torch.tensor([2]))
    walk = walked(narrow, gradients)
    assert walk.stop.layer == "0"
    assert walk.stop.reason == "4 channels do not tell 36 places apart"
    assert list(walk.values) == ["_3", "_2"]
    curved = nn.Sequential(*narrow[:2], nn.Tanh(), *narrow[2:])
    told = walked(curved, update(curved, image, torch.tensor([2]))).stop
    assert (told.layer, told.reason) == ("0", "2: no rule covers Tanh")
    late = walked(narrow, gradients, clock=Clock(0.0))
    assert late.stop.reason == "the time was up"
    wide = network("convolutions and max pooling")
    wrong = update(wide, image, torch.tensor([2]))
    wrong["0.weight"] = torch.randn(wrong["0.weight"].shape, generator=seeded()).double()
    stop = walked(wide, wrong).stop
    assert stop.layer == "0"
    assert "of its weight's gradient is left unexplained" in stop.reason


def test_two_walks_give_the_same_bits():
    model = network("residual blocks and average pooling")
    image = torch.rand(1, 3, 6, 6, generator=seeded(), dtype=torch.float64)
    gradients = update(model, image, torch.tensor([2]))
    first, second = (walked(model, gradients) for _ in range(2))
    assert all(torch.equal(first.values[k], second.values[k]) for k in first.values)


def test_a_batch_is_taken_apart_and_every_image_found():
    model = network("residual blocks and average pooling")
    images = torch.rand(3, 3, 6, 6, generator=seeded(2), dtype=torch.float64)
    labels = torch.tensor([0, 1, 1])
    gradients = update(model, images, labels)
    graph = read_graph(model, (3, 6, 6))
    weights, bias = Weights(gradients), gradients["7.bias"]
    parts = take_apart(graph, weights, bias, 3, generator=seeded())
    assert sorted(parts.slopes.argmin(1).tolist()) == [0, 1, 1]
    slopes = Slopes(graph, parts.slopes)
    slopes.choose(parts.layer, Choice(parts.passed, closes=True))
    walk = Walk(graph, weights, slopes)
    walk.run()
    found = walk.values[graph.image]
    error = (found[None] - images[:, None]).abs().amax((2, 3, 4))
    assert sorted(error.argmin(1).tolist()) == [0, 1, 2]
    assert float(error.amin(1).max()) < 1e-5


def test_a_batch_with_more_places_than_channels_is_refused_by_name():
    model = network("residual blocks and average pooling")
    images = torch.rand(8, 3, 6, 6, generator=seeded(2), dtype=torch.float64)
    gradients = update(model, images, torch.arange(8) % 5)
    graph = read_graph(model, (3, 6, 6))
    told = take_apart(graph, Weights(gradients), gradients["7.bias"], 8, generator=seeded())
    assert told == "4.second: 64 channels do not tell 72 places apart"


@pytest.mark.parametrize(("error", "taken"), [(3e-4, True), (5e-3, False)])
def test_a_value_counts_where_little_of_its_gradient_is_left(error, taken):
    model = network("convolutions and max pooling")
    image = torch.rand(1, 3, 6, 6, generator=seeded(3), dtype=torch.float64)
    gradients = update(model, image, torch.tensor([2]))
    noise = torch.randn(gradients["0.weight"].shape, generator=seeded(4), dtype=torch.float64)
    gradients["0.weight"] += error * noise / noise.norm() * gradients["0.weight"].norm()
    walk = walked(model, gradients)
    assert (walk.graph.image in walk.values) == taken
    assert (walk.graph.image in walk.rough) != taken


@pytest.mark.parametrize(("apart", "told"), [(1e-5, True), (1e-9, False)])
def test_examples_that_slopes_hardly_tell_apart_are_left_open(apart, told):
    model = nn.Sequential(nn.Flatten(), nn.Linear(108, 5)).double()
    graph = read_graph(model, (3, 6, 6))
    slopes = torch.randn(1, 5, generator=seeded(1), dtype=torch.float64).repeat(2, 1)
    slopes[1, 0] += apart
    fed = torch.rand(2, 108, generator=seeded(2), dtype=torch.float64)
    weights = Weights({"1.weight": slopes.T @ fed})
    found = solve_input([graph.nodes[graph.logits]], Slopes(graph, slopes), weights)
    if told:
        assert torch.allclose(found.found, fed, atol=1e-6)
    else:
        assert found.reason == "5 equations for 2 unknowns per channel leave some of them open"


def test_a_batch_whose_gradient_has_too_low_a_rank_is_refused_by_its_rank():
    model = network("residual blocks and average pooling")
    image = torch.rand(1, 3, 6, 6, generator=seeded(2), dtype=torch.float64)
    gradients = update(model, image.repeat(2, 1, 1, 1), torch.tensor([0, 0]))
    graph = read_graph(model, (3, 6, 6))
    told = take_apart(graph, Weights(gradients), gradients["7.bias"], 2, generator=seeded())
    assert told == "4.second: its gradient has rank 9, too little for 18 places"
