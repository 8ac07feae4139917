"""How long fits of a head are going to take on this machine, by the first releases of one."""

from __future__ import annotations

import dataclasses
import statistics
import time
from dataclasses import dataclass, field
from itertools import pairwise

from torch import Tensor

from victims.training.streams import Repeatable
from victims.transfer.contract import Method, Problem
from victims.transfer.mechanism import Gaussian, Sum

PART = 10
"""A fit to every so many-th example is begun first."""
FEW = 4
"""Releases after which a fit that is tried is ended; the first may be of another kind."""
WORTH = 2.0
"""Seconds that a fit to all examples may be tried for, where the part says that it takes no more:
a step has a price of its own, which does not fall with the examples."""


class _Enough(Exception):
    """Leaves a fit that has made enough releases."""


@dataclass
class _Trial(Gaussian):
    """A mechanism without noise that notes when it was asked, and ends the fit after `FEW`."""

    moments: list[float] = field(default_factory=list)

    def release(self, value: Sum, sensitivity: float, *name: object) -> Tensor:
        """See `Mechanism.release`."""
        return self._end(super().release(value, sensitivity, *name))

    def release_symmetric(self, value: Sum, sensitivity: float, *name: object) -> Tensor:
        """See `Mechanism.release_symmetric`."""
        return self._end(super().release_symmetric(value, sensitivity, *name))

    def _end(self, released: Tensor) -> Tensor:
        self.moments.append(time.perf_counter())
        if len(self.moments) == FEW:
            raise _Enough
        return released


def seconds_of(method: Method, problem: Problem, fits: int) -> float:
    """About how many seconds so many fits take, by the first releases of one or two without noise.

    Args:
        method: that fits.
        problem: the private examples.
        fits: how many are asked about.
    """
    if not fits:
        return 0.0
    some = slice(None, None, PART)
    features, labels = problem.features[some], problem.labels[some]
    part = dataclasses.replace(problem, features=features, labels=labels)
    spent, one = _try(method, part)
    if PART * spent > WORTH:  # the first fit of a process imports what the others find there
        spent, one = _try(method, part)
    if PART * spent > WORTH:
        return fits * PART * one
    return fits * _try(method, problem)[1]


def _try(method: Method, problem: Problem) -> tuple[float, float]:
    """The seconds that a trial took, and those that a whole fit takes by it."""
    trial, began = _Trial(0.0, Repeatable(0, "cost")), time.perf_counter()
    try:
        method.fit(problem, trial)
    except _Enough:
        spent = trial.moments[-1] - began
        each = statistics.median(b - a for a, b in pairwise(trial.moments))
        return spent, spent + (method.releases() - FEW) * each
    spent = time.perf_counter() - began
    return spent, spent
