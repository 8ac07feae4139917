"""The one kind of interval that means of scores have here, and the p of a mean above 0."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.stats import t as student

Values = NDArray[np.float64]
Seeds = NDArray[np.int64]
Range = tuple[float, float]
ANYWHERE: Range = (-math.inf, math.inf)
LEVEL = 0.95
"""Of every interval that says no other."""
FEWEST = 8
"""Below it nothing covers: of two kinds of images, one in three rare, fewer would often show one
kind alone."""
REACH = 10
"""Unseen values of n lie no further out than the seen ones are apart, times this / n."""
DRAWS = 10_000
CELLS = 2_000_000
"""At most so many weights are held at a time."""
ALIKE = 1e-9
"""Scores that differ by less than this share of their size are equal."""


def interval(
    values: Sequence[float] | Values, within: Range = ANYWHERE, level: float = LEVEL
) -> Range | None:
    """Interval of a level for the mean of what the values are a sample of.

    Gaffke 2005: each end is a quantile of the mean of the values and one end of their range
    under Dirichlet(1, ..., 1) weights. For values 0 and 1 that is Clopper and Pearson's interval,
    and no law is known of which it covers less than it states when the range is known. The range
    of images' scores is too wide to be of use, so it is taken to go beyond the seen values by
    min(1, `REACH` / n) of their own width, and no further than ``within``: how often that covers
    is simulated by ``python -m reports.coverage``. Nothing covers where a kind of image that
    matters is too rare to be in the sample.

    Args:
        values: (n,) finite and independent.
        within: the least and the largest value there can be.
        level: how often the interval holds the mean, in (0, 1).

    Returns:
        Low and high; None below `FEWEST` values, and for equal ones unless ``within`` is finite.
    """
    own = np.sort(np.asarray(values, dtype=np.float64))
    if len(own) < FEWEST:
        return None
    width = float(own[-1] - own[0])
    if width <= ALIKE * max(abs(own[0]), abs(own[-1])):
        if not all(map(math.isfinite, within)):
            return None  # equal values do not tell how far others may lie
        low_end, high_end = within
    else:
        low_end, high_end = _ends(own, width, within)
    low_end, high_end = min(low_end, own[0]), max(high_end, own[-1])
    miss = (1 - level) / 2
    low = np.quantile(_means(np.append(own, low_end)), miss)
    high = np.quantile(_means(np.append(own, high_end)), 1 - miss)
    return max(float(low), float(low_end)), min(float(high), float(high_end))


def simultaneous_level(count: int) -> float:
    """Level of each of so many intervals of which all hold with `LEVEL` (Bonferroni)."""
    return 1 - (1 - LEVEL) / max(1, count)


def seeds_interval(
    values: Values, seeds: Seeds, within: Range = ANYWHERE, level: float = LEVEL
) -> Range:
    """Student's interval for the mean of all values when those of one seed belong together.

    Between seeds, with one degree of freedom less than there are seeds.

    Args:
        values: (N,) finite.
        seeds: (N,) the seed of each, two different ones at least.
        within: the least and the largest value there can be.
        level: how often the interval holds the mean, in (0, 1).
    """
    error, freedom = _error_between_seeds(values, seeds)
    mean, reach = float(values.mean()), float(student.ppf((1 + level) / 2, freedom)) * error
    return max(within[0], mean - reach), min(within[1], mean + reach)


def p_above_zero(values: Values, seeds: Seeds) -> float:
    """One-sided p of "the mean is at most 0", as the intervals here have it; 1 for too few.

    `signs` has the p that is exact under symmetric laws; what is shown takes both.
    """
    if len(values) < FEWEST:
        return 1.0
    own = np.sort(values)
    reached = np.append(own, _ends(own, float(own[-1] - own[0]), ANYWHERE)[0])
    below = int((_means(reached) <= 0).sum())
    p = (1 + below) / (DRAWS + 1)
    return max(p if below else min(p, _most_below_zero(reached)), p_between_seeds(values, seeds))


def _most_below_zero(values: Values) -> float:
    """At most how likely a mean under Dirichlet weights lies below 0, where draws are too few.

    The weights are exponential variables over their sum, so that it is the chance of sum E_i v_i
    <= 0, which no t > 0 with 1 + t v_i > 0 puts above the product of 1 / (1 + t v_i) (Chernoff).
    """
    if float(values.min()) >= 0:
        return 0.0
    largest = -1 / float(values.min())
    found = minimize_scalar(
        lambda t: -float(np.log1p(t * values).sum()), bounds=(0.0, largest), method="bounded"
    )
    return math.exp(min(0.0, float(found.fun)))


def p_between_seeds(values: Values, seeds: Seeds) -> float:
    """The same p as `seeds_interval` has it; 0, which rules nothing out, for one seed."""
    if len(np.unique(seeds)) == 1:
        return 0.0
    error, freedom = _error_between_seeds(values, seeds)
    mean = float(values.mean())
    if error == 0:
        return 0.0 if mean > 0 else 1.0
    return float(student.sf(mean / error, freedom))


def _ends(own: Values, width: float, within: Range) -> Range:
    """Where unseen values end, given sorted ones."""
    reach = width * min(1.0, REACH / len(own))
    return max(within[0], float(own[0]) - reach), min(within[1], float(own[-1]) + reach)


def _error_between_seeds(values: Values, seeds: Seeds) -> tuple[float, int]:
    """Standard error of the mean from the seeds' means, and its degrees of freedom."""
    mean, names = values.mean(), np.unique(seeds)
    parts = [float((values[seeds == s] - mean).sum()) for s in names]
    groups = len(names)
    error = math.sqrt(groups / (groups - 1) * float(np.square(parts).sum())) / len(values)
    return error, groups - 1


def _means(values: Values) -> Values:
    """(DRAWS,) means of the values under Dirichlet weights, drawn from a fixed seed."""
    if len(values) <= 128:
        return _weights(len(values)) @ values
    return np.concatenate([w @ values for w in _drawn(len(values))])


@lru_cache(maxsize=16)
def _weights(count: int) -> Values:
    return np.concatenate(list(_drawn(count)))


def _drawn(count: int) -> Iterator[Values]:
    """Rows of weights, `DRAWS` in all, as many at a time as fit."""
    draw, step = np.random.default_rng(0), max(1, CELLS // count)
    for start in range(0, DRAWS, step):
        rows = draw.standard_exponential((min(step, DRAWS - start), count))
        yield rows / rows.sum(1, keepdims=True)
