"""Input, gates and image of the top convolution, each told by the others."""

from __future__ import annotations

import pytest
import torch

from attacks.invert.peeling.moments import Moments
from attacks.invert.peeling.odds import Odds, by_outputs, shares_of, slope_products, windows_of
from attacks.invert.peeling.trimmed import trim
from tests.attacks.invert.peeling.masked_layers import Case, randoms
from tests.attacks.invert.peeling.test_masked import (
    GUESSED,
    MASKED,
    attack,
    build,
    closeness,
    pooled,
)


def parts(case):
    """Scaled slopes, and moments of the true input's patches."""
    moments = Moments(case.top)
    slope = (case.top.slope / case.top.sizes).float()
    fed = case.inputs[0].float()
    none = fed.new_zeros(len(fed), fed.shape[1], fed.shape[1])
    return slope, moments.of_patches(fed, none)


@pytest.mark.parametrize("pooled", [False, True])
def test_moments_are_the_sums_over_what_is_seen(pooled):
    top = Case(0.5, pooled).top
    moments, seen = Moments(top), top.seen.double()
    fed = randoms(top.channels, 16).abs()
    root = 0.1 * randoms(top.channels, 16, 16, seed=1)
    errors = randoms(4000, top.channels, 16, seed=2)
    drawn = fed + torch.einsum("ipq,niq->nip", root, errors)
    spread = root @ root.mT
    products, pulls = moments.of_patches(fed.float(), spread.float())
    patches = top.unfold(fed)
    assert torch.allclose(pulls, (top.value / top.sizes @ patches.T).float(), rtol=1e-4, atol=1e-5)
    every = torch.stack([top.unfold(one) for one in drawn[:400]])
    expected = torch.einsum("oe,npe,nqe->opq", seen, every, every) / len(every)
    assert float((products - expected).norm() / expected.norm()) < 0.02
    opened, weight = randoms(len(seen), 16, seed=3), randoms(len(seen), seed=4).abs()
    both = opened[:, :, None] * opened[:, None]
    squares, pull = moments.of_slopes(opened.float(), both.float(), weight.float())
    rows = top.system(opened)
    shown = top.by_channel(top.seen).double() * weight.repeat_interleave(9)[:, None]
    direct = torch.einsum("rp,rq,ri->ipq", rows, rows, shown)
    assert torch.allclose(squares.double(), direct, rtol=1e-3, atol=1e-3)
    values = top.by_channel(top.value / top.sizes) * weight.repeat_interleave(9)[:, None]
    assert torch.allclose(pull.double(), (rows.T @ values).T, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("pooled", [False, True])
def test_gates_follow_from_an_input_that_is_known(pooled):
    case = Case(0.5, pooled)
    slope, (products, pulls) = parts(case)
    even = torch.full_like(slope, 0.2)
    noise = torch.full((len(slope),), 1e-8)
    shares = shares_of(case.top, slope, Odds.of(case.top, even, None), products, pulls, noise)
    assert float(((shares > 0.5) == (case.gates[0] > 0.5)).double().mean()) > 0.99
    both = slope_products(case.top, slope, shares)
    for at in windows_of(case.top):
        assert float(both[:, at[0], at[1:]].abs().sum()) == 0  # two of a window are never open


def test_outputs_with_errors_give_chances_that_add_up():
    top = Case(0.5, pooled=True).top
    outputs = randoms(*top.slope.shape, seed=9)
    for error, relu in ((1e-6, True), (1.0, True), (1.0, False)):
        chances = by_outputs(top, outputs, error, None, relu)
        total = chances @ top.members.to(chances)
        assert bool((total <= 1 + 1e-9).all())
        assert bool((total < 0.999).any()) == relu
    sure = by_outputs(top, outputs, 1e-6, None, True)
    assert set(sure.round(decimals=6).unique().tolist()) == {0.0, 1.0}


def test_channels_that_are_wrong_are_left_out_and_put_right():
    case = Case(0.4, pooled=True)
    gates = case.gates[0].clone()
    gates[:12] = gates[:12, torch.randperm(16, generator=torch.Generator().manual_seed(1))]
    off = case.inputs[0] + 0.02 * randoms(*case.inputs[0].shape, seed=5)
    found = trim(case.top, gates, off, None, 8)
    assert found.residual < 1e-4
    assert torch.equal(found.gates, case.gates[0])
    assert torch.allclose(found.inputs, case.inputs[0], atol=1e-3)


def test_a_pooled_network_is_rebuilt_where_free_gates_outnumber_the_equations():
    guess = attack(build(pooled), "dprs", rate=0.9, **MASKED)  # 1,028 for 1,032: 27 dB without
    assert closeness(guess) > GUESSED + 20
    assert guess.iterations < 600
