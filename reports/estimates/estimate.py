"""Means with their uncertainty."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy.stats import binomtest

from reports.estimates.intervals import ANYWHERE, Range, interval

Summary = dict[str, float | int | None]


def summarise(values: Sequence[float | None], within: Range = ANYWHERE) -> Summary:
    """Mean and 95% interval over images, see `intervals.interval`.

    Args:
        values: one score per image; None (a score that could not be had) is left out.
        within: the least and the largest score there can be, see `scores.RANGES`.

    Returns:
        ``mean``, ``low``, ``high``, ``n``. The interval is None where the values are too few,
        the mean below one. Equal scores give equal intervals.
    """
    known = sorted(v for v in values if v is not None and math.isfinite(v))
    if not known:
        return {"mean": None, "low": None, "high": None, "n": 0}
    low, high = interval(known, within) or (None, None)
    return {"mean": math.fsum(known) / len(known), "low": low, "high": high, "n": len(known)}


def share(successes: int, n: int) -> Summary:
    """Share of successes in n trials with its exact 95% interval (Clopper and Pearson 1934).

    Returns:
        ``mean``, ``low``, ``high`` in [0, 1] and ``n``; None for all but ``n`` without trials.
    """
    if n == 0:
        return {"mean": None, "low": None, "high": None, "n": 0}
    edges = binomtest(successes, n).proportion_ci(0.95, method="exact")
    return {"mean": successes / n, "low": float(edges.low), "high": float(edges.high), "n": n}


def show(summary: Summary, digits: int = 1) -> str:
    """``15.3 [14.1, 16.6]``; ``-`` where there is nothing."""
    if summary["mean"] is None:
        return "-"
    text = f"{summary['mean']:.{digits}f}"
    if summary["low"] is not None:
        text += f" [{summary['low']:.{digits}f}, {summary['high']:.{digits}f}]"
    return text
