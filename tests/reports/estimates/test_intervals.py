"""Intervals and the p of verdicts, held to what they claim by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta

from reports.coverage import coverage_of, covered_over_seeds, shapes
from reports.estimates import Estimate, pool
from reports.estimates.intervals import DRAWS, FEWEST, _most_below_zero, interval, p_above_zero
from reports.estimates.signs import corrected_p, flipped_p, holm
from reports.panels.build import build_panels
from reports.panels.setting import LEAKS, UNKNOWN
from reports.records.find import Source
from reports.records.inversion import parse
from tests import outcomes

NOMINAL = 0.95


@pytest.mark.parametrize("size", [8, 32])
def test_an_interval_covers_what_it_is_about(size):
    random = np.random.default_rng(size)
    for shape in shapes(size):
        held, _ = coverage_of(shape, size, 150, random)
        # Below 0.89 once in a thousand times, were it 0.95.
        assert held >= 0.89, shape.name


@pytest.mark.slow
@pytest.mark.parametrize("size", [8, 12, 16, 24, 32])
def test_an_interval_covers_what_it_is_about_to_the_percent(size):
    random = np.random.default_rng(100 + size)
    for shape in shapes(size):
        held, given = coverage_of(shape, size, 4000, random)
        assert held >= NOMINAL - 0.01 and given > 0.99, (shape.name, held)


@pytest.mark.parametrize("seeds", [2, 4])
def test_seeds_that_shift_all_their_images_are_paid_for(seeds):
    random = np.random.default_rng(seeds)
    held = covered_over_seeds(seeds, 8, 8.0, shapes(8)[0], 200, random)
    assert held >= 0.9


@pytest.mark.slow
def test_seeds_are_paid_for_to_the_percent():
    random = np.random.default_rng(3)
    for seeds in (2, 3, 4):
        for images in (4, 8, 16):
            for effect in (0.0, 2.0, 8.0):
                held = covered_over_seeds(seeds, images, effect, shapes(8)[0], 3000, random)
                assert held >= NOMINAL - 0.012, (seeds, images, effect, held)


@pytest.mark.parametrize("count", [2, 4, FEWEST - 1])
def test_too_few_have_no_interval(count):
    found = Estimate.of(np.linspace(10, 20, count).tolist(), (0, 60))
    assert (found.spread, found.n) == (False, count)
    assert not pool(np.linspace(10, 20, count), np.zeros(count, int)).spread


def test_equal_scores_are_not_taken_for_certain():
    assert interval([60.0] * 8) is None  # nothing says how far others may lie
    low, high = interval([60.0] * 8, (0, 60))
    assert high == 60
    # With the range known, it is Clopper and Pearson's of 8 out of 8.
    assert low / 60 == pytest.approx(beta.ppf(0.025, 8, 1), abs=0.01)
    assert Estimate.of([1.0, 1.0]).show() == "1.0"


def test_of_zeros_and_ones_it_is_clopper_and_pearsons():
    found = interval([0.0] * 9 + [1.0] * 3, (0, 1))
    assert found == pytest.approx((beta.ppf(0.025, 3, 10), beta.ppf(0.975, 4, 9)), abs=0.01)


def test_an_interval_moves_with_its_values_and_stays_in_their_range():
    values = np.random.default_rng(0).normal(20, 4, 12)
    low, high = interval(values)
    assert interval(values[::-1] * 3 - 7) == pytest.approx((low * 3 - 7, high * 3 - 7))
    low, high = interval([55.0, 60, 60, 60, 60, 60, 60, 58], (0, 60))
    assert 0 < low < 59 < high <= 60


def test_a_sign_test_counts_patterns():
    assert flipped_p(np.ones((1, 8)))[0] == 1 / 256
    assert flipped_p(-np.ones((1, 8)))[0] == 1
    assert flipped_p(np.array([[1.0, 1, 1, 1, -1, np.nan]]))[0] == pytest.approx(6 / 32)
    many = flipped_p(np.random.default_rng(0).normal(1, 1, (1, 40)))[0]
    assert 0 < many < 0.001


def test_settings_that_tell_the_same_cost_nothing_and_others_do():
    strong = np.random.default_rng(0).normal(10, 1, (6, 8))
    assert corrected_p(strong) == pytest.approx([1 / 256] * 6)
    noise = np.random.default_rng(1).normal(0, 1, (9, 8))
    mixed = corrected_p(np.vstack([strong[:1], noise]))
    assert 1 / 256 <= mixed[0] <= 10 / 256
    assert (mixed >= flipped_p(np.vstack([strong[:1], noise])) - 1e-12).all()


def test_one_setting_that_leaks_is_told_among_twenty_that_do_not():
    random = np.random.default_rng(2)
    told = [
        corrected_p(np.vstack([random.normal(6, 2, 8), random.normal(0, 1, (19, 8))]))[0]
        for _ in range(10)
    ]
    assert np.median(told) <= 2 / 256


def test_holm_steps_down():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def null_panel(random, settings, images, law):
    """Settings whose attack gains nothing: gaps are symmetric around 0."""
    runs = []
    for turn in range(settings):
        record = outcomes.inversion(rate=0.1 * turn, images=images, naive=None)
        for row, guess in zip(record.rows, record.baseline["rows"], strict=True):
            row |= {"psnr": guess["psnr"] + float(law(random)), "rank": None}
        runs.append(parse(record, Source(record, number=turn + 1)))
    return build_panels(runs)[0]


LAWS = {
    "normal": lambda random: random.standard_normal(),
    "mixed": lambda random: random.choice([-6.0, 6.0]) + random.standard_normal(),
}


@pytest.mark.parametrize("law", LAWS)
def test_a_panel_without_gains_seldom_shows_one(law):
    random = np.random.default_rng(7)
    alarms = sum(
        any(s.verdict == LEAKS for s in null_panel(random, 6, 8, LAWS[law]).settings)
        for _ in range(60)
    )
    assert alarms <= 6  # 2.5% nominal; 7 and more would happen once in 1500 times
    few = null_panel(random, 2, 4, LAWS[law])
    assert {s.verdict for s in few.settings} == {UNKNOWN}


def test_a_p_for_too_few_shows_nothing():
    assert p_above_zero(np.full(7, 5.0), np.zeros(7, int)) == 1
    assert p_above_zero(np.linspace(4, 6, 8), np.zeros(8, int)) < 0.001
    # Two seeds that agree on the sign alone do not tell that a third one would.
    values = np.r_[np.linspace(1, 2, 8), np.linspace(21, 22, 8)]
    assert p_above_zero(values, np.repeat([0, 1], 8)) > 0.1


@pytest.mark.parametrize("lowest", [-0.5, -2.0, -8.0])
def test_where_no_draw_lies_below_nothing_its_chance_is_bounded_and_not_one_over_the_draws(lowest):
    values = np.append(np.linspace(0.5, 1.5, 12), lowest)
    draws = np.random.default_rng(1).standard_exponential((400_000, len(values))) @ values
    found = float((draws <= 0).mean())
    bound = _most_below_zero(values)
    assert found <= bound < 1
    assert _most_below_zero(np.abs(values)) == 0
    assert _most_below_zero(-np.abs(values)) == 1
    if lowest == -0.5:
        assert p_above_zero(np.linspace(0.9, 1.1, 40), np.zeros(40, int)) < 0.1 / DRAWS
