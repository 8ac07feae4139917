"""What an attack costs: gradients of candidates on any machine, seconds on this one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class Meter:
    """What has been spent.

    Attributes:
        gradients: of single examples, so far.
        seconds: from the start of the meter to its end; 0 while it runs.
    """

    gradients: int = 0
    seconds: float = 0.0


_running: ContextVar[tuple[Meter, ...]] = ContextVar("meters", default=())


@contextmanager
def measure() -> Iterator[Meter]:
    """A meter of what is spent in here; one within another counts for both."""
    meter = Meter()
    token = _running.set((*_running.get(), meter))
    began = time.perf_counter()
    try:
        yield meter
    finally:
        meter.seconds = time.perf_counter() - began
        _running.reset(token)


def spend(gradients: int) -> None:
    """Tell every running meter of so many more gradients.

    An evaluation is one gradient, for one example, of whatever an attack differentiates: of the
    loss by the weights, of features by the image, of one layer's misfit by its input and gates or
    by scores of components. Closed forms and linear solves are none.
    """
    for meter in _running.get():
        meter.gradients += gradients
