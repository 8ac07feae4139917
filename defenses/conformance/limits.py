"""How far chance may take a measured number; beyond, a check speaks of a finding.

Every statistic is allowed to err with probability `CHANCE` (5.3 standard errors of a normal), so
that some hundred of them on a correct defense raise one false alarm in 100,000 examinations.
"""

from __future__ import annotations

import math

from scipy import stats
from torch import Tensor

from defenses import gradients

CHANCE = 1e-7
ROUNDING = 1e-3
"""Relative error that float32 arithmetic may cause in a movement that holds other examples'
gradients, taken in other company; there is no chance in it."""
EXACT = 1e-6
"""The same where gradients are handed over: what a norm and a clipping factor may be off by."""
SAME = 1e-4
"""The same in the largest coordinate of two updates that should be equal."""


def least_rms(count: float) -> float:
    """What the root mean square of ``count`` draws of N(0, 1) hardly ever falls below.

    A count that is no whole number is that of `worth`.
    """
    return math.sqrt(stats.chi2.ppf(CHANCE, count) / count) if count else 0.0


def most_rms(count: int) -> float:
    """What the root mean square of ``count`` draws of N(0, 1) hardly ever exceeds."""
    return math.sqrt(stats.chi2.isf(CHANCE, count) / count) if count else math.inf


def t_statistic(values: Tensor) -> float:
    """Mean over its standard error; infinite for a constant that is not zero."""
    mean, spread = float(values.mean()), float(values.std())
    if spread <= 1e-9 * abs(mean):
        return math.copysign(math.inf, mean) if mean else 0.0
    return mean / spread * math.sqrt(len(values))


def most_t(count: int) -> float:
    """What the size of `t_statistic` of ``count`` values with mean zero hardly ever exceeds."""
    return float(stats.t.isf(CHANCE / 2, count - 1))


def rms(values: Tensor) -> float:
    """Root mean square; 0 for no values."""
    return float(values.double().square().mean().sqrt()) if values.numel() else 0.0


def worth(values: Tensor) -> float:
    """How many normal draws say as much about a standard deviation as one of such values.

    The variance of a square is (kurtosis - 1) times that of a normal's over 2; never above 1, since
    what has shorter tails than a normal may also be known by its normal limit.
    """
    if not float(values.double().square().sum()):
        return 1.0
    kurtosis = float((values.double() / rms(values)).pow(4).mean())
    return min(1.0, 2 / max(kurtosis - 1, 1e-9))


def shape_statistics(values: Tensor) -> tuple[float, float]:
    """Skewness and excess kurtosis over their standard errors for normal values of mean zero."""
    unit = values.double() / rms(values)
    count = len(unit)
    skew = float(unit.pow(3).mean()) / math.sqrt(15 / count)
    tails = (float(unit.pow(4).mean()) - 3) / math.sqrt(24 / count)
    return skew, tails


def largest_difference(first: dict[str, Tensor], second: dict[str, Tensor]) -> float:
    """The largest difference of two updates over the largest coordinate of the first.

    Over all parameters: a single one may have a coordinate in which signal and noise cancel.
    Infinite where a coordinate is not finite.
    """
    scale = float(flat(first).abs().max())
    gap = float((flat(first) - flat(second)).abs().max()) / max(scale, 1e-30)
    return gap if math.isfinite(gap) else math.inf


def flat(update: dict[str, Tensor]) -> Tensor:
    """All coordinates of an update as one double vector."""
    return gradients.flat(update).double()
