from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from reports import records
from reports.estimates.intervals import simultaneous_level
from reports.records import membership
from reports.records.find import gather
from reports.records.kinds import sort_out
from tests import outcomes
from tests.outcomes import scored


def test_the_membership_bound_is_the_one_of_the_definition(tmp_path):
    records.write(outcomes.membership(), tmp_path)
    (one,) = sort_out(gather([tmp_path])).memberships
    false = np.array([0.0, 0.01, 0.5, 1.0])
    bound = one.bound(false)
    assert bound[0] == pytest.approx(1e-5)
    assert bound[1] == pytest.approx(math.e * 0.01 + 1e-5)
    assert bound[2] == pytest.approx(1 - math.exp(-1) * (0.5 - 1e-5))
    assert bound[3] == 1
    assert not one.tpr("lira", 0.001).known  # 200 non-members cannot resolve it
    assert one.tpr("lira", 0.1).mean > 0.2
    assert 0.4 < one.auc("blind").mean < 0.6


def test_targets_on_one_page_share_the_error_of_having_learned(tmp_path):
    for place in range(3):
        records.write(outcomes.membership(), tmp_path / str(place))
    gathered = gather([tmp_path])
    alone = [membership.parse(source.record).learned for source in gathered.sources]
    told = [one.learned for one in sort_out(gathered).memberships]
    assert [one.compared for one in alone] == [1] * 3
    assert told == [replace(one, compared=3) for one in alone]


def test_an_interval_for_the_best_of_many_is_wider():
    one = scored(gap=2.0)
    alone, many = (one.tpr("lira", 0.1, simultaneous_level(k)) for k in (1, 10))
    assert many.low < alone.low < alone.mean == many.mean < alone.high < many.high
    assert not one.tpr("lira", 0.0001).known
