"""Two runs on the same images, compared in pairs."""

from __future__ import annotations

from reports.estimates.estimate import Estimate
from reports.estimates.intervals import FEWEST, Seeds, Values, p_between_seeds
from reports.estimates.pooling import pool
from reports.estimates.signs import flipped_p

ALPHA = 0.05
"""A difference is said to be one below this p."""


def paired_test(gaps: Values, seeds: Seeds) -> tuple[Estimate, float]:
    """Mean of paired differences with its 95% interval, and the two-sided p of "it is 0".

    p is twice the larger of two one-sided ones: over sign patterns (`signs.flipped_p`), exact
    where nothing changed, for then every difference could as well have been its negative; and
    between seeds (`intervals.p_between_seeds`), whose images may have changed together. The
    interval allows for skewed differences too, and may reach 0 where p is small.

    Args:
        gaps: (N,) finite.
        seeds: (N,) the seed of each.

    Returns:
        The estimate, and p, which is 1 below `intervals.FEWEST` pairs.
    """
    if len(gaps) < FEWEST:
        return pool(gaps, seeds), 1.0
    sides = (max(float(flipped_p(g[None])[0]), p_between_seeds(g, seeds)) for g in (gaps, -gaps))
    return pool(gaps, seeds), min(1.0, 2 * min(sides))
