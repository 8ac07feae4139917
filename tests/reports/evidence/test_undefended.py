"""A control holds by chance no more often than is stated, however many are compared."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from reports import detection
from reports.estimates import Estimate
from reports.estimates.intervals import LEVEL
from reports.evidence.undefended import Undefended

PLAYED = 300


def played_by_chance(draw, attacks, each=40):
    """The samples of attacks that know nothing, half of them nearly of one mind."""
    members = np.arange(2 * each) < each
    shared = draw.standard_normal(2 * each)
    found = {}
    for turn in range(attacks):
        own = draw.standard_normal(2 * each)
        scores = own if turn % 2 else shared + own
        found[f"attack {turn}"] = detection.sample(scores, members)
    return found


def pages_that_hold(attacks, controls, compared):
    """How many of `PLAYED` pages have a control that holds where nobody could be told."""
    draw = np.random.default_rng(0)
    return sum(
        any(
            Undefended(played_by_chance(draw, attacks), {}, True, compared).holds
            for _ in range(controls)
        )
        for _ in range(PLAYED)
    )


@pytest.mark.parametrize(("attacks", "controls"), [(4, 1), (2, 3)])
def test_pure_chance_is_taken_for_evidence_no_more_often_than_stated(attacks, controls):
    false = pages_that_hold(attacks, controls, attacks * controls)
    assert binomtest(false, PLAYED, 1 - LEVEL, alternative="greater").pvalue > 0.01


def test_an_interval_of_one_attack_alone_would_be_taken_for_evidence_too_often():
    false = pages_that_hold(2, 3, 1)
    assert binomtest(false, PLAYED, 1 - LEVEL, alternative="greater").pvalue < 1e-6


def test_scores_count_before_what_the_record_says_of_them():
    draw = np.random.default_rng(1)
    samples = played_by_chance(draw, 1)
    said = dict.fromkeys(samples, detection.auc(detection.sample([1, 2, 3, 4], [0, 0, 1, 1])))
    found = Undefended(samples, said, True, 1)
    assert found.areas == {k: detection.auc(s) for k, s in samples.items()}


def test_a_told_interval_is_no_evidence_beside_other_records():
    told = {"fall": Estimate(0.56, 0.505, 0.61, 200)}
    alone = Undefended({}, told, True, 1)
    assert alone.holds
    among = Undefended({}, told, True, 100)
    assert not among.holds
    assert "not told" in among.show() and "allows for 1 of 100 results" in among.show()
