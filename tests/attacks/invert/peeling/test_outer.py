"""An outer product is completed from what a mask leaves of it."""

from __future__ import annotations

import pytest
import torch

from attacks.invert.peeling.outer import split_outer
from tests.attacks.invert.peeling.masked_layers import dropped, randoms


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
