"""Masks and noise: the last layer, the top convolution and the latent image, with parts missing."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from attacks.invert.matching.clock import Clock
from attacks.invert.peeling import equations
from attacks.invert.peeling.bilinear import stages
from attacks.invert.peeling.equations import Belief, solve_seen
from attacks.invert.peeling.geometry import Geometry
from attacks.invert.peeling.latent import Latent
from attacks.invert.peeling.outer import split_outer
from attacks.invert.peeling.rounding import round_top
from attacks.invert.peeling.top import Top, TopPrior, beside
from tests.conftest import seeded

PLAN = tuple((10.0**-k, 60) for k in range(2, 8))
SIZE, FED, OUT = (4, 4), 24, 48
GEOMETRY = Geometry(SIZE, (3, 3), (1, 1), (1, 1))
WINDOWS = torch.tensor([0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3])


def randoms(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def dropped(shape, rate, seed=5):
    return torch.rand(shape, generator=seeded(seed)) >= rate


def outer():
    slopes = randoms(7)
    slopes[2] = -4.0
    return slopes, randoms(60, seed=1).relu()


@pytest.mark.parametrize("factor", [1.0, 0.3])
def test_the_last_layer_is_completed_at_the_scale_of_what_is_seen_of_its_bias(factor):
    slopes, features = outer()
    seen = dropped((7, 60), 0.7)
    bias_seen = torch.tensor([False, True, False, False, True, False, False])
    expected = slopes + 0.2 * randoms(7, seed=2)
    weight = factor * torch.outer(slopes, features) * seen
    found = split_outer(weight, seen, expected, factor * slopes * bias_seen, bias_seen)
    assert found.scaled
    assert torch.allclose(found.slopes, factor * slopes, rtol=1e-7)
    assert torch.equal(found.known, seen.any(0))
    assert torch.allclose(found.features, features * found.known, atol=1e-6)


def test_without_a_bias_the_labels_slope_keeps_its_expected_size():
    slopes, features = outer()
    seen = dropped((7, 60), 0.5)
    found = split_outer(torch.outer(slopes, features) * seen, seen, slopes * 1.1)
    assert not found.scaled
    assert torch.allclose(found.slopes, 1.1 * slopes, rtol=1e-7)


@pytest.mark.parametrize("at_once", [1, 2**25])
def test_every_column_is_solved_by_its_own_rows(at_once, monkeypatch):
    monkeypatch.setattr(equations, "AT_ONCE", at_once)
    rows, truth = randoms(50, 8), randoms(8, 5, seed=1)
    seen = dropped((50, 5), 0.6)
    found = solve_seen(rows, torch.where(seen, rows @ truth, 9.0), seen)
    assert torch.allclose(found.unknowns, truth, atol=1e-10)
    assert found.residual < 1e-12


def test_under_noise_a_belief_weighs_as_much_as_its_precision_says():
    rows, values, seen = randoms(50, 8), randoms(50, 5, seed=1), dropped((50, 5), 0.6)
    belief = Belief(randoms(8, 5, seed=2), randoms(8, 5, seed=3).abs())
    found = solve_seen(rows, values, seen, belief).unknowns
    for column, keep in enumerate(seen.T):
        precision = belief.precision[:, column].diag()
        gram = rows[keep].T @ rows[keep] + precision
        right = rows[keep].T @ values[keep, column] + precision @ belief.mean[:, column]
        assert torch.allclose(found[:, column], torch.linalg.solve(gram, right), atol=1e-9)


class Case:
    """A convolution between ReLU features and an average or a max pool, one image masked."""

    def __init__(self, rate, pooled=False, noise=0.0, batch=1):
        conv = nn.Conv2d(FED, OUT, 3, padding=1).double().requires_grad_(False)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            conv.reset_parameters()
        self.images = torch.rand(80, 3, *SIZE, generator=seeded(2), dtype=torch.float64)
        mixing = randoms(FED, 3, 3, 3, seed=4)
        fed = F.conv2d(self.images - 0.5, mixing, padding=1).relu()
        outputs = conv(fed)
        self.gates = self.chosen(outputs, pooled)
        self.inputs = fed.flatten(2)
        slope = randoms(batch, OUT, 4 if pooled else 1, seed=6)
        slope = slope[..., WINDOWS] if pooled else slope.expand(batch, OUT, 16)
        patches = GEOMETRY.unfold(fed[:batch])
        gradient = ((slope * self.gates[:batch]) @ patches).sum(0)
        seen = dropped(gradient.shape, rate)
        gradient = gradient + noise * randoms(*gradient.shape, seed=8)
        shape = (OUT, FED, 3, 3)
        windows = WINDOWS if pooled else None
        self.top = Top.of(
            GEOMETRY, slope, gradient.reshape(shape), seen.reshape(shape), windows, noise
        )
        gates = self.gates[batch:].mean(0).repeat(1, batch)
        self.prior = TopPrior(
            self.inputs[batch:].mean(0).repeat(1, batch),
            self.inputs[batch:].var(0).repeat(1, batch),
            gates,
            (gates * (1 - gates)).clamp(min=0.02),
        )

    @staticmethod
    def chosen(outputs, pooled):
        if not pooled:
            return (outputs > 0).double().flatten(2)
        _, place = F.max_pool2d(outputs, 2, return_indices=True)
        return torch.zeros_like(outputs.flatten(2)).scatter_(2, place.flatten(2), 1.0)

    def solve(self):
        *_, last = stages(self.top, self.prior, clock=Clock(), plan=PLAN)
        return round_top(self.top, self.top.gates(last.opened * self.top.sizes))


@pytest.mark.parametrize(("rate", "pooled"), [(0.0, False), (0.6, False), (0.5, True)])
def test_the_top_convolution_is_exact_under_a_mask(rate, pooled):
    case = Case(rate, pooled)
    found = case.solve()
    assert found.solved()
    assert torch.equal(found.gates, case.gates[0])
    assert torch.allclose(found.inputs, case.inputs[0], atol=1e-8)


def test_wrong_gates_leave_a_residual():
    case = Case(0.5)
    flipped = case.gates[0].clone()
    flipped[3, 7] = 1 - flipped[3, 7]
    top = dataclasses.replace(case.top)
    # One round of correction finds the wrong gate; gates at random are past correcting.
    assert torch.equal(round_top(top, flipped).gates, case.gates[0])
    lost = round_top(top, dropped(flipped.shape, 0.5).double())
    assert not lost.solved()
    assert lost.residual > 1e-2


def test_the_same_release_is_solved_alike_twice():
    first, second = (
        [s.inputs for s in stages(c.top, c.prior, clock=Clock(), plan=((1e-2, 9), (1e-3, 9)))]
        for c in (Case(0.6), Case(0.6))
    )
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_under_noise_the_stages_end_at_the_noise_instead_of_fitting_it():
    noise = 0.05
    case = Case(0.0, noise=noise)
    *_, last = stages(case.top, case.prior, clock=Clock(), plan=PLAN)
    scaled = case.top.value / case.top.sizes
    floor = float((noise / case.top.sizes).expand_as(scaled).norm() / scaled.norm())
    assert 0.5 * floor < last.residual < 2 * floor
    gates = case.top.gates(last.opened * case.top.sizes) > 0.5
    share = float((gates == (case.gates[0] > 0.5)).double().mean())
    guessed = float(((case.prior.gates > 0.5) == (case.gates[0] > 0.5)).double().mean())
    assert share > max(0.9, guessed + 0.05)


def test_the_latent_image_is_that_of_the_scores_that_made_the_release():
    case = Case(0.9)
    latent = Latent.fit(case.inputs[1:], case.gates[1:], case.images[1:], components=6)
    truth = 0.7 * randoms(1, 6, seed=9)
    inputs, gates, image = latent.decode(truth)
    value = (case.top.slope * gates) @ case.top.unfold(inputs.double()) * case.top.seen
    top = dataclasses.replace(case.top, value=value)
    scores, spent = latent.match(top, evaluations=60, clock=Clock())
    assert spent <= 60
    found = latent.decode(scores)[2]
    # The scores' prior draws them a little towards the mean.
    assert float((found - image).norm()) < 0.25 * float((latent.images[0] - image).norm())


@pytest.mark.parametrize(
    ("rate", "pooled", "batch"), [(0.0, False, 4), (0.3, False, 2), (0.0, True, 2)]
)
def test_the_examples_of_a_batch_are_told_apart_by_slopes_that_are_known(rate, pooled, batch):
    case = Case(rate, pooled, batch=batch)
    found = case.solve()
    assert found.solved()
    # A gate may be wrong whose slope is too faint to be seen in the residual.
    assert float((found.gates != beside(case.gates[:batch])).double().mean()) < 5e-3
    assert torch.allclose(found.inputs, beside(case.inputs[:batch]), atol=1e-3)
