from __future__ import annotations

import dataclasses
import math
import time

import pytest
import torch

from attacks.invert.matching.clock import Clock
from attacks.invert.matching.lbfgs import lbfgs
from attacks.invert.matching.long_memory import FEWEST, PAIRS, VALUES, History, long_lbfgs

CURVES = torch.logspace(0, 5, 300, dtype=torch.float64)
START = torch.ones(300, dtype=torch.float64)


def bowl(point):
    return (CURVES * point.square()).sum() / 2


def rosenbrock(point):
    return ((1 - point[:-1]).square() + 100 * (point[1:] - point[:-1].square()).square()).sum()


def test_a_long_history_gets_further_than_a_short_one_with_as_many_evaluations():
    long = long_lbfgs(bowl, START, evaluations=300, clock=Clock())
    short = lbfgs(bowl, START, evaluations=300, clock=Clock())
    assert long.evaluations == short.evaluations == 300
    assert long.value == pytest.approx(float(bowl(long.point)))
    assert long.value < short.value / 2


def test_it_finds_the_bottom_of_a_bent_valley_and_says_so():
    found = long_lbfgs(rosenbrock, torch.zeros(2, 1)[:, 0], evaluations=2000, clock=Clock())
    assert torch.allclose(found.point, torch.ones(2, dtype=torch.float64), atol=1e-5)
    assert found.stopped == "solved"
    assert found.evaluations < 2000


def test_it_never_takes_an_evaluation_too_many_and_none_after_the_end():
    assert long_lbfgs(rosenbrock, 0 * START, evaluations=7, clock=Clock()).evaluations == 7
    over = dataclasses.replace(Clock.of(0.0), deadline=time.monotonic() - 1)
    late = long_lbfgs(rosenbrock, START, evaluations=7, clock=over)
    assert (late.evaluations, late.value, late.stopped) == (0, math.inf, "time")


def test_a_step_into_what_is_not_finite_is_shortened():
    found = long_lbfgs(
        lambda x: (x - x.log()).sum(), torch.full((4,), 1e-3), evaluations=200, clock=Clock()
    )
    assert torch.allclose(found.point, torch.ones(4, dtype=torch.float64), atol=1e-4)


def two_loops(pairs, slope, scale):
    """Algorithm 7.4 of Nocedal and Wright (2006), the usual form of the same direction."""
    shares = []
    for step, turn in reversed(pairs):
        share = (step @ slope) / (step @ turn)
        slope = slope - share * turn
        shares.append(share)
    slope = scale * slope
    for (step, turn), share in zip(pairs, reversed(shares), strict=True):
        slope = slope + (share - (turn @ slope) / (step @ turn)) * step
    return -slope


@pytest.mark.parametrize("count", [1, PAIRS, PAIRS + 30])
def test_the_compact_form_is_that_of_two_loops(count):
    draw = torch.Generator().manual_seed(0)
    slope = torch.randn(300, generator=draw, dtype=torch.float64)
    history, pairs = History(300, slope), []
    history.look(slope)
    for _ in range(count):
        step = torch.randn(300, generator=draw, dtype=torch.float64)
        turn = CURVES.log1p() * step
        slope = slope + turn
        history.move(step, turn, slope)
        pairs.append((step, turn))
    expected = two_loops(pairs[-PAIRS:], slope, history.scale)
    assert torch.allclose(history.direction(slope), expected, rtol=1e-6)


@pytest.mark.parametrize(("size", "pairs"), [(300, PAIRS), (VALUES // 50, 50), (VALUES, FEWEST)])
def test_the_history_of_a_large_problem_is_shorter(size, pairs):
    assert len(History(size, torch.zeros(1, device="meta")).steps) == pairs
