"""The optional guard in seconds over everything that an attack does."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


class TimeIsUp(Exception):
    """Leaves work that a `Clock` has cut short."""


@dataclass(frozen=True)
class Clock:
    """When work must end; by default never, so that no result depends on a machine's speed.

    Attributes:
        deadline: a value of `time.monotonic`; infinite where nobody guards.
    """

    deadline: float = math.inf

    @classmethod
    def of(cls, seconds: float | None) -> Clock:
        """A clock that ends so many seconds from now; None: never."""
        return cls() if seconds is None else cls(time.monotonic() + seconds)

    @property
    def guards(self) -> bool:
        """Whether it ends at all."""
        return math.isfinite(self.deadline)

    @property
    def left(self) -> float:
        """Seconds until the end, at least 0."""
        return max(0.0, self.deadline - time.monotonic()) if self.guards else math.inf

    @property
    def over(self) -> bool:
        """Whether the end has come."""
        return self.guards and time.monotonic() > self.deadline

    def part(self, share: float) -> Clock:
        """A clock that ends after this share, in (0, 1], of what is left."""
        return Clock.of(self.left * share) if self.guards else self

    def check(self) -> None:
        """Raise `TimeIsUp` when the end has come."""
        if self.over:
            raise TimeIsUp

    def watch(self, items: Iterable[T]) -> Iterator[T]:
        """The items, until the end comes: then `TimeIsUp`."""
        for item in items:
            self.check()
            yield item
