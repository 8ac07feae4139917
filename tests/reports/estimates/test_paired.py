from __future__ import annotations

import numpy as np
import pytest

from reports.estimates import paired_test


@pytest.mark.parametrize("seeds", [1, 3])
def test_false_alarms_are_as_rare_as_stated(seeds):
    draw = np.random.default_rng(5)
    owners = np.repeat(np.arange(seeds), 32)
    alarms = covered = 0
    for _ in range(150):
        old, new = draw.standard_normal((2, len(owners)))
        gap, p = paired_test(new - old, owners)
        alarms += p < 0.05
        covered += gap.low <= 0 <= gap.high
    # 5% nominal; 16 of 150 and more would happen once in 500 times at 5.5%.
    assert alarms <= 16
    assert covered >= 150 - 16
