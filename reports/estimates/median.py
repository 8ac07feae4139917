"""Medians over images of several seeds, with the uncertainty of both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from reports.estimates.intervals import ANYWHERE, LEVEL, Range, Seeds, Values, seeds_interval


@dataclass(frozen=True)
class Median:
    """A median and its 95% interval.

    Attributes:
        value: the median; NaN when there is no value.
        low: lower end of the interval; NaN where the values are too few for one.
        high: upper end of the interval; NaN where the values are too few for one.
        n: how many values there were.
    """

    value: float
    low: float
    high: float
    n: int

    @classmethod
    def of(
        cls,
        values: Sequence[float] | Values,
        seeds: Sequence[int] | Seeds,
        within: Range = ANYWHERE,
    ) -> Median:
        """The median of one score per (seed, image).

        The interval is that between two ordered values: exact for independent values of any law,
        from 6 of them on (a count of values below the median is Binomial(n, 1/2)). With several
        seeds it is at least as wide as Student's between the seeds' own medians, as images of one
        seed share its weights.

        Args:
            values: (N,) finite.
            seeds: (N,) the seed of each.
            within: the least and the largest score there can be, see `reports.scores.SCORES`.
        """
        own, owners = np.asarray(values, dtype=np.float64), np.asarray(seeds)
        order, count = np.sort(own), len(own)
        if not count:
            return cls(math.nan, math.nan, math.nan, 0)
        middle = float(np.median(order))
        below = int(binom.ppf((1 - LEVEL) / 2, count, 0.5))
        # As many values may lie below the lower end with no more than the chance of a miss.
        if binom.cdf(below, count, 0.5) > (1 - LEVEL) / 2:
            below -= 1
        if below < 0:
            return cls(middle, math.nan, math.nan, count)
        low, high = float(order[below]), float(order[count - 1 - below])
        names = np.unique(owners)
        if len(names) > 1:
            medians = np.array([np.median(own[owners == name]) for name in names])
            ends = seeds_interval(medians, names, within)
            low, high = min(low, *ends), max(high, *ends)
        return cls(middle, low, high, count)

    @property
    def spread(self) -> bool:
        """Whether there is an interval."""
        return math.isfinite(self.low)

    def show(self, digits: int = 1) -> str:
        """``15.3 [14.1, 16.6]``; without an interval ``15.3``."""
        ends = f" [{self.low:.{digits}f}, {self.high:.{digits}f}]" if self.spread else ""
        return f"{self.value:.{digits}f}{ends}"
