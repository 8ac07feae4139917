from __future__ import annotations

import math

import numpy as np
import pytest

from reports import records
from reports.records.find import gather
from reports.records.kinds import sort_out
from tests import outcomes


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
