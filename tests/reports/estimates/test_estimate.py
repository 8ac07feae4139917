from __future__ import annotations

import math

import pytest

from reports.estimates import NOTHING, Estimate


def test_estimates_of_few_or_missing_scores():
    assert Estimate.of([]) == Estimate.of([None, math.nan]) == NOTHING
    one = Estimate.of([5.0, None])
    assert (one.mean, one.n, one.known, one.spread) == (5.0, 1, True, False)
    assert one.show() == "5.0"
    assert Estimate.of([1.0] * 8).show() == "1.0"
    assert Estimate.of([0.0] * 8, (0, 1)).show() == "0.0 [0.0, 0.4]"


def test_a_record_holds_a_document_from_which_the_estimate_is_read():
    assert NOTHING.document() == {"mean": None, "low": None, "high": None, "n": 0}
    assert Estimate.of([5.0]).document() == {"mean": 5.0, "low": None, "high": None, "n": 1}
    found = Estimate.share(3, 12)
    assert list(found.document()) == ["mean", "low", "high", "n"]
    assert Estimate.read(found.document()) == found
    none = Estimate.read(NOTHING.document())
    assert not none.known and not none.spread and none.n == 0


def test_a_share_says_its_hits_and_its_percent():
    found = Estimate.share(3, 12)
    assert (found.hits, found.n) == (3, 12)
    assert found.percent() == "25.0% [5.5%, 57.2%]"
    assert found.times(100).show(0) == "25 [5, 57]"
    assert Estimate.share(10, 10).low == pytest.approx(0.025**0.1)
    assert NOTHING.percent() == NOTHING.show() == "-"
    assert Estimate.exact(0.5).show(2) == "0.50 [0.50, 0.50]"
