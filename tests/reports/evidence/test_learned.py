"""However many targets know nothing, one is said to have learned no more often than is stated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest

from reports.evidence.learned import LEVEL, judge_target

PAGES = 500
MEMBERS = 100


def judge_guesser(draw, classes=2):
    """A target that answers at random, whose members are as many of each class."""
    labels = np.arange(MEMBERS) % classes
    right = float((draw.integers(classes, size=MEMBERS) == labels).mean())
    return judge_target([str(label) for label in labels], right, 0.5)


def pages_that_learned(targets, compared):
    """On how many of `PAGES` pages any target is said to have learned where none knows anything."""
    draw = np.random.default_rng(0)
    return sum(
        any(replace(judge_guesser(draw), compared=compared).holds for _ in range(targets))
        for _ in range(PAGES)
    )


@pytest.mark.parametrize("targets", [1, 20])
def test_a_page_of_targets_that_know_nothing_shows_one_no_more_often_than_stated(targets):
    false = pages_that_learned(targets, targets)
    assert binomtest(false, PAGES, LEVEL, alternative="greater").pvalue > 0.01


def test_targets_judged_alone_would_be_said_to_learn_too_often():
    assert binomtest(pages_that_learned(20, 1), PAGES, LEVEL, alternative="greater").pvalue < 1e-6


def test_a_target_that_learned_is_still_found_among_many():
    found = replace(judge_target(["a", "b"] * 50, 0.9, 0.5), compared=1000)
    assert found.holds and "among 1000 results 1e-05 counts" in found.show()
    weak = replace(judge_target(["a", "b"] * 50, 0.63, 0.5), compared=1)
    assert weak.holds and not replace(weak, compared=20).holds
