"""Learning rates."""

from __future__ import annotations

import pytest

from victims.training.step import rate_factor


def test_learning_rate_schedules():
    assert [rate_factor("constant", 0, s, 4) for s in range(4)] == [1, 1, 1, 1]
    assert [rate_factor("linear", 0, s, 4) for s in range(4)] == [1, 0.75, 0.5, 0.25]
    assert rate_factor("cosine", 0, 2, 4) == pytest.approx(0.5)
    assert [rate_factor("constant", 4, s, 9) for s in range(5)] == [0.25, 0.5, 0.75, 1, 1]
