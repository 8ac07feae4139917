"""Means over images of several seeds, with the uncertainty of both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.confidence import Summary, share, summarise

RESAMPLES = 4000
CELLS = 2_000_000
"""At most so many drawn images are held at a time."""
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A mean and its 95% interval.

    Attributes:
        mean: NaN when there is nothing to average.
        low: NaN below two values.
        high: NaN below two values.
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


def pool(values: Sequence[float] | Values, seeds: Sequence[int] | NDArray[np.int64]) -> Estimate:
    """Mean over all units and its 95% percentile interval.

    Two-level bootstrap: seeds are resampled, then images within each drawn seed, so images of
    one seed are not taken for independent of each other. With one seed there is only the second
    level (`confidence.summarise`). Equal input gives equal intervals.

    Args:
        values: (N,) one score per (seed, image); NaN is left out.
        seeds: (N,) the seed of each.
    """
    scores, owners = np.asarray(values, dtype=float), np.asarray(seeds)
    known = np.isfinite(scores)
    scores, owners = scores[known], owners[known]
    if len(scores) == 0:
        return NOTHING
    if len(np.unique(owners)) == 1 or np.ptp(scores) == 0:
        return _estimate(summarise(scores.tolist()))
    low, high = np.quantile(resampled(scores, owners, RESAMPLES), (0.025, 0.975))
    return Estimate(float(scores.mean()), float(low), float(high), len(scores))


def resampled(values: Values, seeds: NDArray[np.int64], count: int) -> Values:
    """(count,) means of resamples, drawn from a fixed seed.

    Args:
        values: (N,) finite, N >= 1.
        seeds: (N,) the seed of each; with more than one, seeds are drawn first, then images
            within each drawn seed.
        count: resamples.
    """
    draw = np.random.default_rng(0)
    groups = [values[seeds == s] for s in np.unique(seeds)]
    sizes = np.array([len(g) for g in groups])
    padded = np.zeros((len(groups), sizes.max()))
    for row, group in zip(padded, groups, strict=True):
        row[: len(group)] = group
    step = max(1, CELLS // padded.size)
    means = []
    for start in range(0, count, step):
        part = min(step, count - start)
        chosen = draw.integers(len(groups), size=(part, len(groups)))
        taken = sizes[chosen]
        places = (draw.random((*chosen.shape, padded.shape[1])) * taken[..., None]).astype(int)
        inside = np.arange(padded.shape[1]) < taken[..., None]
        drawn = padded[chosen[..., None], np.minimum(places, taken[..., None] - 1)]
        means.append((drawn * inside).sum((1, 2)) / taken.sum(1))
    return np.concatenate(means)


def proportion(hits: int, count: int) -> Estimate:
    """A share of ``count`` trials with its 95% Clopper-Pearson interval (exact)."""
    return _estimate(share(hits, count))


def _estimate(found: Summary) -> Estimate:
    mean, low, high = (
        math.nan if (value := found[name]) is None else float(value)
        for name in ("mean", "low", "high")
    )
    return Estimate(mean, low, high, int(found["n"] or 0))
