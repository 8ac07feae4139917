"""Equations of which a mask leaves some, with noise and without."""

from __future__ import annotations

import pytest
import torch

from attacks.invert.peeling import equations
from attacks.invert.peeling.equations import Belief, solve_seen
from tests.attacks.invert.peeling.masked_layers import dropped, randoms


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
