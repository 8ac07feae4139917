"""Bounds that a guarantee puts on detection."""

from __future__ import annotations

import numpy as np
import pytest

from reports import detection


@pytest.mark.parametrize("epsilon", [0.0, 0.5, 3.0, 50.0])
def test_the_bound_on_the_auc_is_the_area_under_the_bound_on_the_roc(epsilon):
    rates = np.linspace(0, 1, 200_001)
    area = float(detection.dp_bound(rates, epsilon, 0.01).mean())
    assert detection.dp_area(epsilon, 0.01) == pytest.approx(area, abs=1e-4)
