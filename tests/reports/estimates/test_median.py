"""Medians and how often their intervals cover."""

from __future__ import annotations

import math

import numpy as np
import pytest

from reports.estimates import Median


def test_the_interval_lies_between_ordered_values():
    found = Median.of(range(8), [0] * 8)
    assert (found.value, found.low, found.high, found.n) == (3.5, 0.0, 7.0, 8)
    # 17 values: P(Binomial(17, 1/2) <= 4) = 0.0245.
    assert Median.of(range(17), [0] * 17).show(0) == "8 [4, 12]"


def test_too_few_values_have_no_interval():
    assert not Median.of([1.0] * 5, [0] * 5).spread
    assert Median.of([1.0, 2.0], [0, 1]).show() == "1.5"
    assert math.isnan(Median.of([], []).value)


@pytest.mark.parametrize("count", [6, 8, 16, 48])
def test_it_covers_whatever_the_law(count):
    draw = np.random.default_rng(1)
    for law, middle in (
        (draw.standard_normal, 0.0),
        (draw.standard_exponential, math.log(2)),
        (lambda size: np.where(draw.random(size) < 0.6, 60 + draw.random(size), 12.0), 60 + 1 / 6),
    ):
        hits = 0
        for _ in range(500):
            found = Median.of(law(count), [0] * count)
            hits += found.low <= middle <= found.high
        assert hits / 500 > 0.93


def test_seeds_that_shift_together_are_allowed_for():
    draw, hits, seeds = np.random.default_rng(2), 0, np.repeat(np.arange(3), 16)
    for _ in range(500):
        values = draw.standard_normal(48) + 2 * draw.standard_normal(3)[seeds]
        found = Median.of(values, seeds)
        hits += found.low <= 0 <= found.high
    assert hits / 500 > 0.93
