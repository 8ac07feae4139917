"""The balanced accuracy of the best threshold, judged on examples that did not pick it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from reports.detection.sample import Sample
from reports.estimates import Estimate
from reports.estimates.intervals import LEVEL


@dataclass(frozen=True)
class BalancedAccuracy:
    """What thresholds reach.

    Attributes:
        estimate: of the best threshold there is, in [0, 1]; nothing below two members or two
            others; ``n`` counts examples.
        best: the maximum over thresholds on the whole sample, which is biased upwards.
        threshold: where that maximum is.
    """

    estimate: Estimate
    best: float
    threshold: float

    def document(self) -> dict[str, float | int | None]:
        """The estimate's numbers, ``best`` and ``threshold``, as JSON holds them."""
        return self.estimate.document() | {"best": self.best, "threshold": self.threshold}


def balanced_accuracy(parted: Sample) -> BalancedAccuracy:
    """(TPR + 1 - FPR) / 2 of the best threshold.

    The maximum over thresholds is biased upwards, to above 0.5 for guesses too, so the mean is
    cross-fitted: a threshold picked on four fifths of the sample is judged on the last fifth,
    each fifth in turn, over ten random partitions of fixed seed. The interval is about the best
    threshold there is: its lower end is that of the cross-fitted rates, its upper end that of
    the rates at the sample's best, both by Newcombe 1998 (method 10).
    """
    m, n = len(parted.inside), len(parted.outside)
    threshold, best = _best(parted)
    found = Estimate(math.nan, n=m + n)
    if min(m, n) > 1:
        true, false = _cross_fitted(parted)
        mean = (1 + true - false) / 2
        down = math.hypot(true - _wilson(true, m)[0], _wilson(false, n)[1] - false)
        true, false = (float((x >= threshold).mean()) for x in (parted.inside, parted.outside))
        up = math.hypot(_wilson(true, m)[1] - true, false - _wilson(false, n)[0])
        found = Estimate(mean, max(0.0, mean - down / 2), min(1.0, best + up / 2), m + n)
    return BalancedAccuracy(found, best, threshold)


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


def _wilson(share: float, n: int) -> tuple[float, float]:
    """95% score interval of a share of n (Wilson 1927)."""
    z = float(norm.ppf((1 + LEVEL) / 2))
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, centre - reach), min(1.0, centre + reach)
