from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from defenses.gradients import clipped_sum, squared_norms
from tests.conftest import seeded
from victims.gradients.convolution_gradient import ConvolutionGradient
from victims.gradients.geometry import Geometry
from victims.gradients.projection import Projection
from victims.gradients.standardise import unit_rows

GEOMETRIES = [
    Geometry((1, 1), (1, 1), (1, 1), 1),
    Geometry((2, 2), (1, 1), (1, 1), 1),
    Geometry((2, 1), (0, 2), (1, 2), 1),
    Geometry((3, 3), (0, 0), (1, 1), 1),  # leaves pixels at the edge that no window reaches
    Geometry((1, 1), (1, 0), (1, 1), 2),
]


def layer(geometry, dtype=torch.float64, batch=5, kernel=(3, 2)):
    """Inputs, slopes, and the weight gradients (B, *shape) of a loop in float64."""
    draw = seeded()
    x = torch.rand(batch, 4, 8, 7, generator=draw).to(dtype)
    weight = torch.randn(6, 4 // geometry.groups, *kernel, generator=draw, dtype=torch.float64)
    weight.requires_grad_()
    size = F.conv2d(x.double(), weight, None, *geometry).shape
    slope = torch.randn(size, generator=draw).to(dtype)
    pairs = zip(x.double().split(1), slope.double().split(1), strict=True)
    alone = [
        torch.autograd.grad(F.conv2d(one, weight, None, *geometry), weight, d)[0]
        for one, d in pairs
    ]
    return ConvolutionGradient(x, slope, weight.shape, geometry), torch.stack(alone)


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize("way", ["grouped", "patches", "gram"])
@pytest.mark.parametrize(("dtype", "near"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_norms_and_sums_are_those_of_a_loop(way, geometry, dtype, near):
    if way == "gram" and geometry.groups > 1:
        pytest.skip("patches of a group are not those of all channels")
    if way == "gram" and dtype == torch.float32:
        near = 2e-5  # what is added for rounding shows where channels are so few: no layer's choice
    found, alone = layer(geometry, dtype)
    factors = torch.rand(5, generator=seeded(1), dtype=torch.float64)
    keep = torch.tensor([True, False, True, True, False])
    mask = torch.rand(alone.shape[1:], generator=seeded(2)) < 0.3
    for some, rows in ((found, alone), (found.apply_mask(mask), alone * mask)):
        if way == "gram" and some.mask is not None:
            continue
        some = some.taking(way)
        for part, kept, by in (
            (some, rows, factors),
            (some.select(keep).taking(way), rows[keep], factors[keep]),
            (some.blank(keep).taking(way), rows * keep[:, None, None, None, None], factors),
        ):
            norms = squared_norms({"w": kept}).sqrt()
            assert torch.allclose(part.squared_norms().sqrt(), norms, rtol=near, atol=0)
            total = torch.einsum("b,b...->...", by, kept)
            assert (part.weighted_sum(by) - total).norm() <= near * total.norm()
        assert torch.allclose(some.dense().double(), rows, rtol=100 * near, atol=near)


@pytest.mark.parametrize("way", ["grouped", "patches", "gram"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e30])
def test_no_example_moves_the_norm_of_another(way, bad):
    found, _ = layer(GEOMETRIES[0], torch.float32)
    clean = found.taking(way).squared_norms()
    spoilt = found.slope.clone()
    spoilt[2, 0, 0, 0] = bad
    norms = (
        ConvolutionGradient(found.x, spoilt, found.shape, found.geometry)
        .taking(way)
        .squared_norms()
    )
    rest = [0, 1, 3, 4]
    assert torch.equal(norms[rest], clean[rest])
    assert not norms[2] <= 1e30


def test_peaks_are_finite_just_where_gradients_are():
    found, _ = layer(GEOMETRIES[0], torch.float32)
    x, slope = found.x.clone(), found.slope.clone()
    slope[1, 0, 0, 0] = float("nan")
    x[2, 0, 3, 3] = float("inf")
    x[3], slope[3] = 1e30, 1e30  # overflows only as a product
    x[4], slope[4, 0, 0, 0] = 0, 3e38  # a bound would overflow, and no product does
    peaks = ConvolutionGradient(x, slope, found.shape, found.geometry).peaks()
    assert peaks.isfinite().tolist() == [True, False, False, False, True]


@pytest.mark.parametrize("offset", [1.0, 100.0, 1000.0])
def test_no_clipped_gradient_of_a_standardised_weight_is_too_long_however_its_pixels_cancel(offset):
    draw = seeded()
    weight = torch.randn(16, 64, 1, 1, generator=draw)
    unit, scale, free = unit_rows(weight)
    row = unit[0].flatten()
    other = torch.randn(64, generator=draw)
    other -= other.mean() + row * (row @ (other - other.mean()))
    shade = torch.randn(1, 32, 32, generator=draw)
    shade -= shade.mean()
    # Along the row, whose slope is no gradient, there is a thousand times more than beside it.
    x = (offset + shade) * row[:, None, None] + 3e-3 * shade * other[:, None, None] / other.norm()
    slope = torch.zeros(1, 16, 32, 32)
    slope[0, 0] = shade
    along = (slope * F.conv2d(x[None], unit)).sum((2, 3))
    projection = Projection(unit.flatten(1), scale.flatten(), free.flatten().float(), along)
    found = ConvolutionGradient(
        x[None], slope, weight.shape, Geometry((1, 1), (0, 0), (1, 1), 1), None, projection
    )
    assert clipped_sum({"w": found}, 1.0)["w"].double().norm() <= 1 + 1e-6
