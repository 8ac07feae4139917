"""Means over images of several seeds, with the uncertainty of both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from reports.estimates.estimate import Summary, share, summarise
from reports.estimates.intervals import ANYWHERE, Range, Seeds, Values, seeds_interval

__all__ = ["NOTHING", "Estimate", "Values", "pool", "proportion"]


@dataclass(frozen=True)
class Estimate:
    """A mean and its 95% interval.

    Attributes:
        mean: NaN when there is nothing to average.
        low: NaN where the values are too few for an interval.
        high: likewise.
        count: values averaged.
    """

    mean: float
    low: float
    high: float
    count: int

    @property
    def known(self) -> bool:
        """Whether there is a mean."""
        return math.isfinite(self.mean)

    @property
    def spread(self) -> bool:
        """Whether there is an interval."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    def show(self, digits: int = 1) -> str:
        """``15.3 [14.1, 16.6]``; ``-`` where there is nothing."""
        if not self.known:
            return "-"
        text = f"{self.mean:.{digits}f}"
        return text + (f" [{self.low:.{digits}f}, {self.high:.{digits}f}]" if self.spread else "")


NOTHING = Estimate(math.nan, math.nan, math.nan, 0)


def pool(
    values: Sequence[float] | Values,
    seeds: Sequence[int] | Seeds,
    within: Range = ANYWHERE,
) -> Estimate:
    """Mean over all units and its 95% interval.

    With one seed that of `intervals.interval`, about images under that seed. With several also
    as wide as `intervals.seeds_interval`: images of one seed share its weights, and are not
    taken for independent of each other. Equal input gives equal intervals.

    Args:
        values: (N,) one score per (seed, image); NaN is left out.
        seeds: (N,) the seed of each.
        within: the least and the largest score there can be, see `scores.RANGES`.
    """
    scores, owners = np.asarray(values, dtype=float), np.asarray(seeds)
    known = np.isfinite(scores)
    scores, owners = scores[known], owners[known]
    found = _estimate(summarise(scores.tolist(), within))
    if not found.spread or len(np.unique(owners)) == 1:
        return found
    low, high = seeds_interval(scores, owners, within)
    return replace(found, low=min(low, found.low), high=max(high, found.high))


def proportion(hits: int, count: int) -> Estimate:
    """A share of ``count`` trials with its 95% Clopper-Pearson interval (exact)."""
    return _estimate(share(hits, count))


def _estimate(found: Summary) -> Estimate:
    mean, low, high = (
        math.nan if (value := found[name]) is None else float(value)
        for name in ("mean", "low", "high")
    )
    return Estimate(mean, low, high, int(found["n"] or 0))
