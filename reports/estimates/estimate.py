"""A mean with its uncertainty."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy.stats import binomtest

from reports.estimates.intervals import ANYWHERE, LEVEL, Range, interval


@dataclass(frozen=True)
class Estimate:
    """A mean and its 95% interval.

    Attributes:
        mean: of the values; NaN when there is nothing to average.
        low: lower end of the interval; NaN where the values are too few for one.
        high: upper end of the interval; NaN where the values are too few for one.
        n: how many values were averaged.
    """

    mean: float
    low: float = math.nan
    high: float = math.nan
    n: int = 0

    @classmethod
    def of(
        cls, values: Sequence[float | None], within: Range = ANYWHERE, level: float = LEVEL
    ) -> Estimate:
        """Mean of independent values with the interval of `intervals.interval`.

        Args:
            values: one score per image; None and NaN (a score that could not be had) are left out.
            within: the least and the largest score there can be, see `reports.scores.SCORES`.
            level: of the interval, in (0, 1).

        Returns:
            No interval where the values are too few. Equal values give equal intervals.
        """
        known = sorted(v for v in values if v is not None and math.isfinite(v))
        if not known:
            return NOTHING
        low, high = interval(known, within, level) or (math.nan, math.nan)
        return cls(math.fsum(known) / len(known), low, high, len(known))

    @classmethod
    def share(cls, hits: int, n: int) -> Estimate:
        """Share of hits in n trials, in [0, 1], with its exact interval (Clopper, Pearson 1934)."""
        if n == 0:
            return NOTHING
        return cls(hits / n, *_exact_interval(hits, n), n)

    @classmethod
    def exact(cls, value: float) -> Estimate:
        """A number that is known: its interval is itself."""
        return cls(value, value, value)

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Estimate:
        """The estimate of which a Record holds the `document`."""
        values = (document[name] for name in ("mean", "low", "high"))
        mean, low, high = (math.nan if v is None else float(v) for v in values)
        return cls(mean, low, high, int(document["n"]))

    def document(self) -> dict[str, float | int | None]:
        """``mean``, ``low``, ``high`` and ``n`` as JSON holds them: None for what is not known."""
        ends = {"mean": self.mean, "low": self.low, "high": self.high}
        return {k: v if math.isfinite(v) else None for k, v in ends.items()} | {"n": self.n}

    @property
    def known(self) -> bool:
        """Whether there is a mean."""
        return math.isfinite(self.mean)

    @property
    def spread(self) -> bool:
        """Whether there is an interval."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def hits(self) -> int:
        """Of a share: how many of the n trials were hits."""
        return round(self.mean * self.n)

    def times(self, factor: float) -> Estimate:
        """The same in another unit, ``factor`` > 0 of which make one of this."""
        return Estimate(factor * self.mean, factor * self.low, factor * self.high, self.n)

    def show(self, digits: int = 1, signed: bool = False) -> str:
        """``15.3 [14.1, 16.6]``; ``-`` where there is no mean. Signed: ``+1.2 [+0.4, +2.0]``."""
        return self.format(f"{'+' if signed else ''}z.{digits}f")

    def percent(self, digits: int = 1) -> str:
        """A share as ``4.3% [0.0%, 7.6%]``; ``-`` where there is none."""
        return self.format(f".{digits}%")

    def format(self, form: str) -> str:
        """The mean and its interval, each in a format of Python's; ``-`` where there is no mean."""
        if not self.known:
            return "-"
        ends = f" [{self.low:{form}}, {self.high:{form}}]" if self.spread else ""
        return f"{self.mean:{form}}{ends}"


NOTHING = Estimate(math.nan)


@functools.lru_cache(maxsize=2**16)  # a page of many Records asks for few pairs, again and again
def _exact_interval(hits: int, n: int) -> tuple[float, float]:
    """The ends of the exact 95% interval of a share (Clopper and Pearson 1934)."""
    edges = binomtest(hits, n).proportion_ci(LEVEL, method="exact")
    return float(edges.low), float(edges.high)
