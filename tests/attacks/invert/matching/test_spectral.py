from __future__ import annotations

import math

import pytest
import torch

from attacks.invert.matching.clock import Clock
from attacks.invert.matching.image_prior import SpectralPrior, total_variation
from attacks.invert.matching.long_memory import long_lbfgs
from attacks.invert.matching.spectral import descend, sharpen


@pytest.fixture
def half(auxiliary):
    """A prior, and a residual that sees every other pixel of an image with one sharp edge."""
    small = torch.nn.functional.adaptive_avg_pool2d(auxiliary.images, 8)
    truth = torch.full((1, 3, 8, 8), 0.2, dtype=torch.float64)
    truth[..., 3:] = 0.8
    seen = torch.arange(truth.numel()) % 2 == 0
    observed = truth.flatten()[seen]
    return SpectralPrior.fit(small), lambda images: (images.flatten()[seen], observed), truth


def test_an_edge_is_filled_in_better_with_total_variation(half):
    prior, compare, truth = half
    start = torch.zeros(1, 3, 8, 8, dtype=torch.float64)
    smooth = descend(
        compare, prior, start, [1e-3], evaluations=100, clock=Clock(), minimise=long_lbfgs
    )
    sharp = sharpen(compare, prior, smooth.point, [1e-3, 1e-4], evaluations=100, clock=Clock())
    assert sharp.evaluations <= 100
    before, after = prior.decode(smooth.point), prior.decode(sharp.point)
    assert total_variation(after) < total_variation(before)
    away = torch.arange(8) != 3  # the column at the edge may be of either side
    assert (after - truth)[..., away].norm() < 0.1 * (before - truth)[..., away].norm()


def test_without_evaluations_nothing_moves(half):
    prior, compare, _ = half
    code = torch.ones(1, 3, 8, 8, dtype=torch.float64)
    found = sharpen(compare, prior, code, [1e-3], evaluations=0, clock=Clock())
    assert torch.equal(found.point, code)
    assert (found.evaluations, found.value) == (0, math.inf)
