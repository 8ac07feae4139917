"""The top convolution under masks and noise."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from attacks.invert.matching.clock import Clock
from attacks.invert.peeling.bilinear import stages
from attacks.invert.peeling.rounding import round_top
from attacks.invert.peeling.top import lay_beside
from tests.attacks.invert.peeling.masked_layers import (
    PLAN,
    Case,
    dropped,
)


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


@pytest.mark.parametrize(
    ("rate", "pooled", "batch"), [(0.0, False, 4), (0.3, False, 2), (0.0, True, 2)]
)
def test_the_examples_of_a_batch_are_told_apart_by_slopes_that_are_known(rate, pooled, batch):
    case = Case(rate, pooled, batch=batch)
    found = case.solve()
    assert found.solved()
    # A gate may be wrong whose slope is too faint to be seen in the residual.
    assert float((found.gates != lay_beside(case.gates[:batch])).double().mean()) < 5e-3
    assert torch.allclose(found.inputs, lay_beside(case.inputs[:batch]), atol=1e-3)
