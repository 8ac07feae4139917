"""Means with their uncertainty."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import binomtest, bootstrap

Summary = dict[str, float | int | None]


def summarise(values: Sequence[float | None]) -> Summary:
    """Mean and 95% percentile-bootstrap interval over images.

    Args:
        values: one score per image; None (a score that could not be had) is left out.

    Returns:
        ``mean``, ``low``, ``high``, ``n``. The interval is None below two values, the mean
        below one. The resampling has a fixed seed, so equal scores give equal intervals.
    """
    known = np.array([v for v in values if v is not None and math.isfinite(v)])
    if len(known) == 0:
        return {"mean": None, "low": None, "high": None, "n": 0}
    mean = float(known.mean())
    if len(known) == 1 or np.ptp(known) == 0:
        edge = mean if len(known) > 1 else None
        return {"mean": mean, "low": edge, "high": edge, "n": len(known)}
    drawn = bootstrap(
        (known,), np.mean, method="percentile", n_resamples=9999, rng=np.random.default_rng(0)
    )
    low, high = (float(v) for v in drawn.confidence_interval)
    return {"mean": mean, "low": low, "high": high, "n": len(known)}


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
