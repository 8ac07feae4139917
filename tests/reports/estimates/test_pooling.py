from __future__ import annotations

import math

import numpy as np
import pytest

from reports.estimates import pool


def test_two_levels_are_wider_than_one_when_seeds_differ():
    draw = np.random.default_rng(3)
    seeds = np.repeat(np.arange(4), 50)
    values = draw.standard_normal(200) + 3 * draw.standard_normal(4)[seeds]
    pooled, flat = pool(values, seeds), pool(values, np.zeros(200, dtype=int))
    assert pooled.mean == pytest.approx(flat.mean)
    assert pooled.high - pooled.low > 3 * (flat.high - flat.low)


def test_pooling_leaves_out_what_is_missing():
    found = pool([1.0, math.nan, 3.0], [0, 0, 1])
    assert (found.mean, found.n) == (2.0, 2)
    assert not pool([math.nan], [0]).known
    alone = pool([2.0], [0])
    assert alone.known and not alone.spread
