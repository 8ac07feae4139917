"""What an attack costs: gradients of candidates on any machine, seconds on this one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

APART = 100
"""Gradients after which whoever watches a meter is told again."""


@dataclass
class Meter:
    """What has been spent.

    Attributes:
        tell: told the gradients so far, now and then; None: nobody is.
        gradients: of single examples, so far.
        seconds: from the start of the meter to its end; 0 while it runs.
    """

    tell: Callable[[int], None] | None = None
    gradients: int = 0
    seconds: float = 0.0

    def add(self, gradients: int) -> None:
        """So many more, of which who watches is told at every `APART`."""
        before, self.gradients = self.gradients, self.gradients + gradients
        if self.tell is not None and before // APART < self.gradients // APART:
            self.tell(self.gradients)


_running: ContextVar[tuple[Meter, ...]] = ContextVar("meters", default=())


@contextmanager
def measure(tell: Callable[[int], None] | None = None) -> Iterator[Meter]:
    """A meter of what is spent in here; one within another counts for both.

    Args:
        tell: see `Meter`.
    """
    meter = Meter(tell)
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
        meter.add(gradients)
