from __future__ import annotations

from reports.panels.spread import evenly


def test_some_of_many_are_evenly_spread_and_hold_both_ends():
    assert evenly(range(5), 9) == [0, 1, 2, 3, 4]
    assert evenly(range(101), 5) == [0, 25, 50, 75, 100]
