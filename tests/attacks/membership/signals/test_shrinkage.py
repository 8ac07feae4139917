"""Variances that are shrunk towards a pooled one."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from attacks.membership.signals.gaussians import Side
from attacks.membership.signals.shrinkage import shrunk_variance
from defenses import BadInput
from tests.conftest import seeded


def test_shrunk_variances_lie_between_own_and_pooled_and_find_what_is_true():
    draw = seeded()

    def side(sigma, models):
        noise = torch.randn(models, len(sigma), 1, generator=draw, dtype=torch.float64)
        mask = torch.ones(models, len(sigma), dtype=torch.bool)
        return Side("out", sigma[:, None] * noise, mask)

    same = side(torch.full((500,), 2.0).double(), 6)
    found, freedom = shrunk_variance(same)
    assert torch.allclose(found, torch.full_like(found, 4.0), rtol=0.25)
    assert freedom.min() > 30
    apart = torch.randn(500, generator=draw, dtype=torch.float64).exp()
    few, many = side(apart, 4), side(apart, 200)
    error = [
        (v.log() - 2 * apart.log()[:, None]).square().mean()
        for v in (shrunk_variance(few)[0], few.example_variance(), few.pooled_variance())
    ]
    assert error[0] < min(error[1:])
    assert (shrunk_variance(many)[0] / many.example_variance()).log().abs().mean() < 0.05
    alone = dataclasses.replace(few, mask=few.mask.index_fill(0, torch.tensor([1, 2, 3]), False))
    with pytest.raises(BadInput, match="two or more shadow models out"):
        shrunk_variance(alone)
