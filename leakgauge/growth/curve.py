"""What was measured at every size of something that grows."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """One size.

    Attributes:
        size: how much there is of what grows.
        seconds: of each repeat; at least one.
        peak_mb: 1e6 bytes that the process needed at its highest above what it had before; None
            where the system does not tell.
    """

    size: int
    seconds: tuple[float, ...]
    peak_mb: float | None

    @property
    def median(self) -> float:
        """The median of the repeats, in seconds."""
        return statistics.median(self.seconds)


@dataclass(frozen=True)
class Curve:
    """What one program took.

    Attributes:
        label: what was run.
        points: by growing size; at least one.
    """

    label: str
    points: tuple[Point, ...]

    def exponent(self) -> float:
        """The p of seconds ~ size^p, from the largest half of the sizes by least squares.

        The small ones are what starting costs. NaN where fewer than two sizes are left.
        """
        own = self.points[len(self.points) // 2 - (len(self.points) == 2) :]
        if len(own) < 2:
            return math.nan
        sizes = [math.log(p.size) for p in own]
        times = [math.log(p.median) for p in own]
        return statistics.linear_regression(sizes, times).slope
