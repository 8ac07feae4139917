"""Members caught at a false-positive rate."""

from __future__ import annotations

import math

from scipy.stats import beta, binom

from reports.detection.sample import BadScores, Sample, Unresolved
from reports.estimates import Estimate
from reports.estimates.intervals import LEVEL


def tpr_at(parted: Sample, rate: float, level: float = LEVEL) -> Estimate:
    """Largest true-positive rate whose false-positive rate is at most ``rate``.

    The interval knows that the threshold is estimated too. One spread is that of the members at
    the estimated threshold (Clopper and Pearson 1934). The other is how far the TPR moves
    between the two non-members, as order statistics, that enclose the true threshold.
    They are joined as independent ones, root of the sum of squares on each side (Zou and Donner
    2008). An end for which there is no such non-member is 0 or 1; a lower end above 0 takes
    about 3.7 / rate non-members.

    Args:
        parted: from `sample`.
        rate: the false-positive rate, in (0, 1).
        level: of the interval.

    Returns:
        In [0, 1]; ``n`` counts members.

    Raises:
        Unresolved: fewer than 1 / rate non-members; it says how many it takes.
    """
    m, n = len(parted.inside), len(parted.outside)
    if not 0 < rate < 1:
        raise BadScores(f"the false-positive rate is {rate:g}; it must be in (0, 1)")
    needed = math.ceil(1 / rate - 1e-9)
    if n < needed:
        raise Unresolved(f"FPR {rate:g} takes at least {needed:,} non-members; there are {n:,}")
    miss = (1 - level) / 2
    caught = _count_caught(parted, min(n - 1, math.floor(rate * n + 1e-9)))
    mean = caught / m
    # At most `strict`, at least `loose` non-members on top: chance of either at most `miss`.
    strict = int(binom.ppf(miss, n, rate))
    strict -= int(binom.cdf(strict, n, rate) > miss)
    loose = int(binom.isf(miss, n, rate)) + 1
    low, high = 0.0, 1.0
    if strict >= 0 and caught:
        own = mean - float(beta.ppf(miss, caught, m - caught + 1))
        low = max(0.0, mean - math.hypot(own, mean - _count_caught(parted, strict) / m))
    if loose <= n and caught < m:
        own = float(beta.isf(miss, caught + 1, m - caught)) - mean
        more = float((parted.inside >= parted.outside[n - loose]).mean())
        high = min(1.0, mean + math.hypot(own, more - mean))
    return Estimate(mean, low, high, m)


def _count_caught(parted: Sample, allowed: int) -> int:
    """Members above the threshold that lets ``allowed`` non-members through at most."""
    return int((parted.inside > parted.outside[-1 - allowed]).sum())
