"""Group normalisation is walked backwards where what it gave is known."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from attacks import invert
from attacks.invert.peeling.flow import Slopes
from attacks.invert.peeling.trace import read_graph
from attacks.invert.peeling.walk import Walk
from attacks.invert.peeling.weights import Weights
from defenses import BadInput
from tests.conftest import configured, seeded

LABEL = torch.tensor([2])


def chain(act, bias=True, affine=True):
    """Convolutions with more places than channels, a group normalisation after each."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        model = nn.Sequential(
            *(nn.Conv2d(3, 12, 3, padding=1, bias=bias), nn.GroupNorm(3, 12), act()),
            *(nn.Conv2d(12, 16, 3, 2, 1, bias=bias), nn.GroupNorm(4, 16), act()),
            *(nn.Flatten(), nn.Linear(144, 5)),
        )
        for norm in model if affine else ():
            if isinstance(norm, nn.GroupNorm):
                nn.init.uniform_(norm.weight, -1.5, 1.5)
                nn.init.normal_(norm.bias, std=0.3)
    return model.double().eval()


def walked(model, image, **changed):
    names = dict(model.named_parameters())
    grads = torch.autograd.grad(F.cross_entropy(model(image), LABEL), list(names.values()))
    gradients = {**dict(zip(names, grads, strict=True)), **changed}
    graph = read_graph(model, tuple(image.shape[1:]))
    walk = Walk(graph, Weights(gradients), Slopes(graph, grads[-1][None].double()))
    walk.run()
    return walk


def image(seed=0, size=6):
    return torch.rand(1, 3, size, size, generator=seeded(seed), dtype=torch.float64)


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("act", [nn.ReLU, lambda: nn.LeakyReLU(0.2)])
def test_a_chain_of_group_normalisations_gives_the_image_away_exactly(act, affine):
    for seed in (3, 4):
        walk = walked(chain(act, affine=affine), image(seed))
        assert walk.stop is None
        assert torch.allclose(walk.values[walk.graph.image], image(seed), atol=1e-7)
        true = walk.graph.upto(list(walk.values), torch.float64)(image(seed))
        for mine, theirs in zip(walk.values.values(), true, strict=True):
            assert torch.allclose(mine, theirs, atol=1e-6)


@pytest.mark.slow
def test_most_images_are_exact_and_the_others_are_said_to_be_unexplained():
    exact = 0
    for affine in (False, True):
        for seed in range(8):
            walk = walked(chain(nn.ReLU, affine=affine), image(seed))
            found = walk.values.get(walk.graph.image)
            if found is None:
                assert "of its weight's gradient is left unexplained" in walk.stop.reason
            else:
                assert torch.allclose(found, image(seed), atol=1e-6)
                exact += 1
    assert exact >= 12


def test_slopes_below_a_group_normalisation_are_those_of_autograd():
    model = chain(nn.ReLU)
    walk = walked(model, image())
    given = []
    hook = model[3].register_forward_hook(lambda *step: given.append(step[2]))
    loss = F.cross_entropy(model(image()), LABEL)
    hook.remove()
    (slope,) = torch.autograd.grad(loss, given)
    assert torch.allclose(walk.slopes.at("_3").slope, slope, atol=1e-9)


def test_float32_gradients_change_nothing():
    model = chain(nn.LeakyReLU)
    names = dict(model.named_parameters())
    grads = torch.autograd.grad(F.cross_entropy(model(image()), LABEL), list(names.values()))
    walk = walked(model, image(), **dict(zip(names, (g.float() for g in grads), strict=True)))
    assert torch.allclose(walk.values[walk.graph.image], image(), atol=1e-4)


def test_without_a_bias_a_length_is_told_by_epsilon_once():
    model = nn.Sequential(*chain(nn.LeakyReLU, bias=False)[3:])
    fed = torch.rand(1, 12, 6, 6, generator=seeded(), dtype=torch.float64)
    walk = walked(model, fed)
    assert torch.allclose(walk.values[walk.graph.image], fed, rtol=1e-4)


def test_a_gradient_that_is_no_gradient_of_the_layer_is_left_unexplained():
    wrong = torch.randn(16, 12, 3, 3, generator=seeded(3), dtype=torch.float64)
    stop = walked(chain(nn.ReLU), image(), **{"3.weight": wrong}).stop
    assert stop.layer == "3"
    assert "of its weight's gradient is left unexplained" in stop.reason or "open" in stop.reason


def test_a_system_that_is_too_large_is_named():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        wide = nn.Sequential(
            *(nn.Conv2d(3, 64, 5, padding=2), nn.GroupNorm(4, 64), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(64 * 48 * 48, 5)),
        ).double()
    stop = walked(wide, image(size=48)).stop
    assert stop.layer == "0"
    assert stop.reason.endswith("equations for 6912 unknowns together are too many")


class Standardised(nn.Conv2d):
    """Its weight is standardised in every forward pass: no rule covers it."""

    def forward(self, x):
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return F.conv2d(x, weight, self.bias, self.stride, self.padding)


def test_auto_falls_back_where_what_feeds_a_group_normalisation_has_no_rule(observe):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(
            *(Standardised(3, 8, 3, 2, 1), nn.GroupNorm(2, 8), nn.ReLU()),
            *(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 10)),
        ).eval()
    release, threat, _, _ = observe(model, configured("none"))
    told = invert.get("peel").refusal(model, threat)
    assert told == "conv2d in 0: no rule covers conv2d"
    with pytest.raises(BadInput, match="does not apply: conv2d in 0"):
        invert.get("peel").reconstruct(model, F.cross_entropy, release, threat, generator=seeded())
    attack = invert.get("auto", iterations=8, practice=0)
    guess = attack.reconstruct(model, F.cross_entropy, release, threat, generator=seeded())
    assert guess.attack not in ("peel", "analytic")
    assert guess.images.shape == (1, 3, 32, 32)
