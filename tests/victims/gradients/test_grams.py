from __future__ import annotations

import pytest
import torch

from defenses.gradients import squared_norms
from tests.conftest import seeded
from victims.gradients.convolution_gradient import ConvolutionGradient
from victims.gradients.geometry import Geometry
from victims.gradients.grams import gram_norms

GEOMETRY = Geometry((1, 1), (1, 1), (1, 1), 1)


def cancelling(draw):
    """Slopes of alternating sign on an image that is nearly flat."""
    x = torch.rand(4, 32, 1, 1, generator=draw) * (
        1 + 1e-3 * torch.rand(4, 32, 8, 8, generator=draw)
    )
    places = torch.arange(8)
    sign = 1 - 2 * ((places[:, None] + places) % 2)
    return x, 1e4 * torch.randn(4, 64, 1, 1, generator=draw) * sign


def equal(draw):
    """Numbers that all round the same way."""
    return torch.full((4, 512, 8, 8), 0.1), torch.full((4, 64, 8, 8), 0.3)


def wild(draw):
    """Numbers of many sizes."""
    return (torch.randn(4, n, 8, 8, generator=draw) ** 5 for n in (32, 64))


@pytest.mark.parametrize("kind", [cancelling, equal, wild])
def test_no_norm_is_below_that_of_what_is_summed(kind):
    x, slope = (v.contiguous() for v in kind(seeded()))
    shape = torch.Size((slope.shape[1], x.shape[1], 3, 3))
    stated = gram_norms(x, slope, shape, GEOMETRY)
    true = gram_norms(x.double(), slope.double(), shape, GEOMETRY)
    assert (stated >= true).all()
    for index in range(len(x)):
        only = torch.zeros(len(x), dtype=torch.bool)
        only[index] = True
        added = (
            ConvolutionGradient(x, slope, shape, GEOMETRY).select(only).weighted_sum(torch.ones(1))
        )
        assert squared_norms({"w": added[None]}) <= stated[index]


def test_what_is_added_for_rounding_is_small_where_little_cancels():
    draw = seeded()
    x, slope = torch.rand(4, 64, 8, 8, generator=draw), torch.randn(4, 64, 8, 8, generator=draw)
    shape = torch.Size((64, 64, 3, 3))
    stated = gram_norms(x, slope, shape, GEOMETRY)
    true = gram_norms(x.double(), slope.double(), shape, GEOMETRY)
    assert ((stated / true).sqrt() - 1).max() < 1e-5
