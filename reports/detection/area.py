"""The area under the ROC, and its points."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm, rankdata

from reports.detection.sample import Sample, sample
from reports.estimates import Estimate
from reports.estimates.intervals import LEVEL, Values


def roc(scores: ArrayLike, members: ArrayLike) -> tuple[Values, Values, Values]:
    """Every point of the ROC by `sklearn.metrics.roc_curve`: FPR, TPR and threshold, (T,) each.

    The first threshold is infinite: nobody is called a member.

    Raises:
        BadScores: see `sample`.
    """
    from sklearn.metrics import roc_curve  # on demand: scikit-learn takes a second to load

    parted = sample(scores, members)
    truth = np.repeat([True, False], [len(parted.inside), len(parted.outside)])
    both = np.concatenate([parted.inside, parted.outside])
    false, true, thresholds = roc_curve(truth, both, drop_intermediate=False)
    return false, true, thresholds


def auc(parted: Sample, level: float = LEVEL) -> Estimate:
    """Chance that a member outscores a non-member, ties counting half.

    The interval is that of DeLong et al. 1988, symmetric on the logit scale so that it stays in
    [0, 1]. Where its variance is zero or unknown: with one example on a side, the largest
    possible variance A (1 - A) / min(m, n) (van Dantzig 1951); when every pair compares alike,
    the exact edge for min(m, n) independent pairs that agree.

    Args:
        parted: from `sample`.
        level: of the interval.

    Returns:
        In [0, 1]; ``n`` counts examples.
    """
    m, n = len(parted.inside), len(parted.outside)
    both = rankdata(np.concatenate([parted.inside, parted.outside]))
    beaten = (both[:m] - rankdata(parted.inside)) / n
    beats = 1 - (both[m:] - rankdata(parted.outside)) / m
    area = float(beaten.mean())
    low, high = _auc_interval(area, beaten, beats, level)
    return Estimate(area, low, high, m + n)


def _auc_interval(area: float, beaten: Values, beats: Values, level: float) -> tuple[float, float]:
    m, n = len(beaten), len(beats)
    fewest = min(m, n)
    edge = ((1 - level) / 2) ** (1 / fewest)
    if area in (0.0, 1.0):
        return (edge, 1.0) if area else (0.0, 1 - edge)
    if fewest > 1:
        variance = float(beaten.var(ddof=1)) / m + float(beats.var(ddof=1)) / n
    else:
        variance = area * (1 - area) / fewest
    if variance == 0:  # all scores are equal: as far off as the pairs unseen may differ
        return area - (1 - edge) / 2, area + (1 - edge) / 2
    centre = math.log(area / (1 - area))
    reach = float(norm.ppf((1 + level) / 2)) * math.sqrt(variance) / (area * (1 - area))
    low, high = (
        1 / (1 + math.exp(-min(max(x, -700), 700))) for x in (centre - reach, centre + reach)
    )
    return low, high
