"""Counts the gradients of candidates: what an attack costs on any machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class Meter:
    """Gradients of single examples taken so far."""

    gradients: int = 0


_running: ContextVar[tuple[Meter, ...]] = ContextVar("meters", default=())


@contextmanager
def metered() -> Iterator[Meter]:
    """A meter of what is spent in here; one within another counts for both."""
    meter = Meter()
    token = _running.set((*_running.get(), meter))
    try:
        yield meter
    finally:
        _running.reset(token)


def spend(gradients: int) -> None:
    """Tell every running meter of so many more gradients."""
    for meter in _running.get():
        meter.gradients += gradients
