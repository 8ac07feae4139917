"""How well scores tell members from non-members: metrics of two arrays, with intervals.

A threshold t calls every example with a score of at least t a member, so equal scores are
never split. Intervals are of 95% and their coverage is simulated in tests/test_detection.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import beta, binom, norm, rankdata
from sklearn.metrics import roc_curve

Values = NDArray[np.float64]
LEVEL = 0.95
RATES = (0.1, 0.01, 0.001, 0.0001)
"""False-positive rates at which the true-positive rate is reported."""


class BadScores(ValueError):
    """Scores or truth that cannot be evaluated; the message is one line."""


class Unresolved(BadScores):
    """A false-positive rate below one of the sample's non-members."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Scores by truth, each sorted: nothing below depends on the order of the examples.

    Attributes:
        inside: (m,) scores of members, ascending, m >= 1.
        outside: (n,) scores of non-members, ascending, n >= 1.
    """

    inside: Values
    outside: Values


def sample(scores: ArrayLike, members: ArrayLike) -> Sample:
    """Check scores and truth and part them.

    Args:
        scores: (N,) finite numbers, array or tensor, higher = more likely a member.
        members: (N,) bool or 0 and 1.

    Raises:
        BadScores: sizes, NaN, values other than 0 and 1, only members or no members.
    """
    own, truth = _array(scores), _array(members)
    if own.ndim != 1 or own.shape != truth.shape:
        raise BadScores(f"scores are {own.shape} and members {truth.shape}; both must be (N,)")
    wrong = (~np.isfinite(own)).nonzero()[0]
    if len(wrong):
        raise BadScores(f"score {wrong[0]} is {own[wrong[0]]}; every score must be finite")
    if not np.isin(truth, (0, 1)).all():
        raise BadScores("members must be bool, or 0 and 1")
    bits = truth == 1
    if bits.all() or not bits.any():
        raise BadScores(
            f"of {len(bits)} examples {int(bits.sum())} are members; both kinds are needed"
        )
    return Sample(np.sort(own[bits]), np.sort(own[~bits]))


def summarise(scores: ArrayLike, members: ArrayLike) -> dict[str, Any]:
    """All metrics, as plain numbers for a Record's JSON.

    Returns:
        ``auc``, ``balanced_accuracy``: as the functions of those names; ``tpr_at``: the FPR as
        text -> `tpr_at`, or ``mean``, ``low``, ``high`` None and the ``reason`` where the sample
        cannot resolve it; ``members``, ``non_members``: how many.

    Raises:
        BadScores: see `sample`.
    """
    parted = sample(scores, members)
    return {
        "auc": auc(parted),
        "balanced_accuracy": balanced_accuracy(parted),
        "tpr_at": {f"{rate:g}": _tpr_or_reason(parted, rate) for rate in RATES},
        "members": len(parted.inside),
        "non_members": len(parted.outside),
    }


def roc(scores: ArrayLike, members: ArrayLike) -> tuple[Values, Values, Values]:
    """Every point of the ROC by `sklearn.metrics.roc_curve`: FPR, TPR and threshold, (T,) each.

    The first threshold is infinite: nobody is called a member.

    Raises:
        BadScores: see `sample`.
    """
    parted = sample(scores, members)
    truth = np.repeat([True, False], [len(parted.inside), len(parted.outside)])
    both = np.concatenate([parted.inside, parted.outside])
    false, true, thresholds = roc_curve(truth, both, drop_intermediate=False)
    return false, true, thresholds


def auc(parted: Sample) -> dict[str, Any]:
    """Chance that a member outscores a non-member, ties counting half.

    The interval is that of DeLong et al. 1988, symmetric on the logit scale so that it stays in
    [0, 1]. Where its variance is zero or unknown: with one example on a side, the largest
    possible variance A (1 - A) / min(m, n) (van Dantzig 1951); when every pair compares alike,
    the exact edge for min(m, n) independent pairs that agree.

    Returns:
        ``mean``, ``low``, ``high`` in [0, 1]; ``n`` examples.
    """
    m, n = len(parted.inside), len(parted.outside)
    both = rankdata(np.concatenate([parted.inside, parted.outside]))
    beaten = (both[:m] - rankdata(parted.inside)) / n
    beats = 1 - (both[m:] - rankdata(parted.outside)) / m
    area = float(beaten.mean())
    low, high = _auc_interval(area, beaten, beats)
    return {"mean": area, "low": low, "high": high, "n": m + n}


def _auc_interval(area: float, beaten: Values, beats: Values) -> tuple[float, float]:
    m, n = len(beaten), len(beats)
    fewest = min(m, n)
    edge = ((1 - LEVEL) / 2) ** (1 / fewest)
    if area in (0.0, 1.0):
        return (edge, 1.0) if area else (0.0, 1 - edge)
    if fewest > 1:
        variance = float(beaten.var(ddof=1)) / m + float(beats.var(ddof=1)) / n
    else:
        variance = area * (1 - area) / fewest
    if variance == 0:  # all scores are equal: as far off as the pairs unseen may differ
        return area - (1 - edge) / 2, area + (1 - edge) / 2
    centre = math.log(area / (1 - area))
    reach = float(norm.ppf((1 + LEVEL) / 2)) * math.sqrt(variance) / (area * (1 - area))
    low, high = (
        1 / (1 + math.exp(-min(max(x, -700), 700))) for x in (centre - reach, centre + reach)
    )
    return low, high


def balanced_accuracy(parted: Sample) -> dict[str, Any]:
    """(TPR + 1 - FPR) / 2 of the best threshold.

    The maximum over thresholds is biased upwards, to above 0.5 for guesses too, so the mean is
    cross-fitted: a threshold picked on four fifths of the sample is judged on the last fifth,
    each fifth in turn, over ten random partitions of fixed seed. The interval is about the best
    threshold there is: its lower end is that of the cross-fitted rates, its upper end that of
    the rates at the sample's best, both by Newcombe 1998 (method 10).

    Returns:
        ``mean``, ``low``, ``high`` in [0, 1], None below two members or two others; ``n``
        examples; ``best`` and ``threshold``: the maximum on the whole sample, and where it is.
    """
    m, n = len(parted.inside), len(parted.outside)
    threshold, best = _best(parted)
    found: dict[str, Any] = {"mean": None, "low": None, "high": None, "n": m + n}
    if min(m, n) > 1:
        true, false = _cross_fitted(parted)
        mean = (1 + true - false) / 2
        down = math.hypot(true - _wilson(true, m)[0], _wilson(false, n)[1] - false)
        true, false = (float((x >= threshold).mean()) for x in (parted.inside, parted.outside))
        up = math.hypot(_wilson(true, m)[1] - true, false - _wilson(false, n)[0])
        found |= {"mean": mean, "low": max(0.0, mean - down / 2), "high": min(1.0, best + up / 2)}
    return found | {"best": best, "threshold": threshold}


def _cross_fitted(parted: Sample, folds: int = 5, repeats: int = 10) -> tuple[float, float]:
    """TPR and FPR at thresholds picked on the other folds, mean over random partitions."""
    m, n = len(parted.inside), len(parted.outside)
    folds = min(folds, m, n)
    draw = np.random.default_rng(0)
    hits = alarms = 0
    for _ in range(repeats):
        ours, others = draw.permutation(m) % folds, draw.permutation(n) % folds
        for fold in range(folds):
            rest = Sample(parted.inside[ours != fold], parted.outside[others != fold])
            at, _ = _best(rest)
            hits += int((parted.inside[ours == fold] >= at).sum())
            alarms += int((parted.outside[others == fold] >= at).sum())
    return hits / (m * repeats), alarms / (n * repeats)


def _best(parted: Sample) -> tuple[float, float]:
    """The highest threshold of the best balanced accuracy, and that accuracy."""
    grid = np.unique(np.concatenate([parted.inside, parted.outside]))[::-1]
    true, false = (
        1 - np.searchsorted(side, grid) / len(side) for side in (parted.inside, parted.outside)
    )
    accuracy = (1 + true - false) / 2
    where = int(accuracy.argmax())
    return float(grid[where]), float(accuracy[where])


def tpr_at(parted: Sample, rate: float) -> dict[str, Any]:
    """Largest true-positive rate whose false-positive rate is at most ``rate``.

    The interval knows that the threshold is estimated too. One spread is that of the members at
    the estimated threshold (Clopper and Pearson 1934). The other is how far the TPR moves
    between the two non-members, as order statistics, that enclose the true threshold with 95%.
    They are joined as independent ones, root of the sum of squares on each side (Zou and Donner
    2008). An end for which there is no such non-member is 0 or 1; a lower end above 0 takes
    about 3.7 / rate non-members.

    Args:
        parted: from `sample`.
        rate: the false-positive rate, in (0, 1).

    Returns:
        ``mean``, ``low``, ``high`` in [0, 1]; ``n`` members.

    Raises:
        Unresolved: fewer than 1 / rate non-members; it says how many it takes.
    """
    m, n = len(parted.inside), len(parted.outside)
    if not 0 < rate < 1:
        raise BadScores(f"the false-positive rate is {rate:g}; it must be in (0, 1)")
    needed = math.ceil(1 / rate - 1e-9)
    if n < needed:
        raise Unresolved(f"FPR {rate:g} takes at least {needed:,} non-members; there are {n:,}")
    miss = (1 - LEVEL) / 2
    caught = _caught(parted, min(n - 1, math.floor(rate * n + 1e-9)))
    mean = caught / m
    # At most `strict`, at least `loose` non-members on top: chance of either at most `miss`.
    strict = int(binom.ppf(miss, n, rate))
    strict -= int(binom.cdf(strict, n, rate) > miss)
    loose = int(binom.isf(miss, n, rate)) + 1
    low, high = 0.0, 1.0
    if strict >= 0 and caught:
        own = mean - float(beta.ppf(miss, caught, m - caught + 1))
        low = max(0.0, mean - math.hypot(own, mean - _caught(parted, strict) / m))
    if loose <= n and caught < m:
        own = float(beta.isf(miss, caught + 1, m - caught)) - mean
        more = float((parted.inside >= parted.outside[n - loose]).mean())
        high = min(1.0, mean + math.hypot(own, more - mean))
    return {"mean": mean, "low": low, "high": high, "n": m}


def _caught(parted: Sample, allowed: int) -> int:
    """Members above the threshold that lets ``allowed`` non-members through at most."""
    return int((parted.inside > parted.outside[-1 - allowed]).sum())


def _tpr_or_reason(parted: Sample, rate: float) -> dict[str, Any]:
    try:
        return tpr_at(parted, rate)
    except Unresolved as error:
        nothing = {"mean": None, "low": None, "high": None, "n": len(parted.inside)}
        return nothing | {"reason": str(error)}


def dp_bound(fpr: ArrayLike, epsilon: float, delta: float = 0.0) -> Values:
    """Largest TPR at these FPRs under (epsilon, delta)-DP (Kairouz et al. 2015).

    min(e^eps f + delta, 1 - e^-eps (1 - delta - f)), clipped to [0, 1]; 1 for infinite epsilon.

    Args:
        fpr: any shape, in [0, 1].
        epsilon: >= 0, may be infinite.
        delta: in [0, 1].
    """
    false = np.asarray(fpr, dtype=np.float64)
    if not epsilon < 700:  # exp overflows beyond, and the bound says nothing
        return np.ones_like(false)
    one = math.exp(epsilon) * false + delta
    other = 1 - math.exp(-epsilon) * (1 - delta - false)
    bound: Values = np.clip(np.minimum(one, other), 0, 1)
    return bound


def gdp_bound(fpr: ArrayLike, mu: float) -> Values:
    """Largest TPR at these FPRs under mu-GDP, Phi(Phi^-1(f) + mu) (Dong et al. 2022).

    Args:
        fpr: any shape, in [0, 1].
        mu: >= 0, may be infinite.
    """
    false = np.asarray(fpr, dtype=np.float64)
    if math.isinf(mu):
        return np.ones_like(false)
    bound: Values = norm.cdf(norm.ppf(false) + mu)
    return bound


def chance(fpr: ArrayLike) -> Values:
    """TPR of guessing without looking: the FPR itself."""
    return np.asarray(fpr, dtype=np.float64)


def _array(values: ArrayLike) -> Values:
    """Array or tensor, on whatever device, as float64."""
    moved = values.detach().cpu().double() if hasattr(values, "detach") else values
    try:
        return np.asarray(moved, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadScores(f"not an array of numbers: {error}") from error


def _wilson(share: float, n: int) -> tuple[float, float]:
    """95% score interval of a share of n (Wilson 1927)."""
    z = float(norm.ppf((1 + LEVEL) / 2))
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, centre - reach), min(1.0, centre + reach)
