"""What training runs of several seeds have spent."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from reports.tables.trainings import _most


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_an_account_that_one_seed_lacks_is_not_told_by_the_others(order):
    runs = [
        SimpleNamespace(epsilons={"prv": 2.0, "rdp": 2.5}),
        SimpleNamespace(epsilons={"prv": 3.0}),
    ]
    training = SimpleNamespace(runs=[runs[place] for place in order])
    assert _most(training, "prv") == 3.0
    assert math.isnan(_most(training, "rdp"))
