"""How long fits of a head are going to take on this machine, by one that nobody keeps."""

from __future__ import annotations

import dataclasses
import time

from reports.commands.progress import FIRST
from victims.training.streams import Repeatable
from victims.transfer.contract import Method, Problem
from victims.transfer.mechanism import Gaussian

PART = 10
"""A fit to every so many-th example is tried first."""
MANY = 5
"""From so many fits on a whole one is tried too, where the first has shown that it is worth it."""


def seconds_of(method: Method, problem: Problem, fits: int) -> float:
    """About how many seconds so many fits take, by one or two without noise.

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
    about = fits * PART * _try(method, part)
    return about if about < FIRST or fits < MANY else fits * _try(method, problem)


def _try(method: Method, problem: Problem) -> float:
    began = time.perf_counter()
    method.fit(problem, Gaussian(0.0, Repeatable(0, "cost")))
    return time.perf_counter() - began
