"""Means over images of several seeds, with the uncertainty of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from reports.estimates.estimate import Estimate
from reports.estimates.intervals import ANYWHERE, LEVEL, Range, Seeds, Values, seeds_interval


def pool(
    values: Sequence[float] | Values,
    seeds: Sequence[int] | Seeds,
    within: Range = ANYWHERE,
    level: float = LEVEL,
) -> Estimate:
    """Mean over all units and its interval, of 95% where no other level is given.

    With one seed that of `intervals.interval`, about images under that seed. With several also
    as wide as `intervals.seeds_interval`: images of one seed share its weights, and are not
    taken for independent of each other. Equal input gives equal intervals.

    Args:
        values: (N,) one score per (seed, image); NaN is left out.
        seeds: (N,) the seed of each.
        within: the least and the largest score there can be, see `reports.scores.SCORES`.
        level: of the interval, in (0, 1).
    """
    scores, owners = np.asarray(values, dtype=float), np.asarray(seeds)
    known = np.isfinite(scores)
    scores, owners = scores[known], owners[known]
    found = Estimate.of(scores.tolist(), within, level)
    if not found.spread or len(np.unique(owners)) == 1:
        return found
    low, high = seeds_interval(scores, owners, within, level)
    return replace(found, low=min(low, found.low), high=max(high, found.high))
