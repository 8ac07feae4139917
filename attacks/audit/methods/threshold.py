"""One threshold and Clopper-Pearson (Jagielski et al. 2020; Nasr et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta
from torch import Tensor

from attacks.audit.contract import Auditor, registry
from attacks.audit.counts import Integers, best, count, split


@registry.register("threshold")
@dataclass(frozen=True)
class Threshold(Auditor):
    """What (epsilon, delta)-DP must be at least, given bounds on the two error rates.

    TPR <= e^epsilon FPR + delta, and 1 - FPR <= e^epsilon (1 - TPR) + delta (Kairouz et al. 2015).
    Each rate has a one-sided Clopper-Pearson bound at alpha / 2. A fifth of the canaries chooses
    the threshold and which of the two inequalities is used; the others are counted.
    """

    assumes: ClassVar[str] = (
        "canaries that do not touch each other's scores, such as one per training"
    )

    def bound(self, scores: Tensor, inserted: Tensor, *, delta: float, alpha: float) -> float:
        """See `Auditor.bound`."""
        tuning = split(inserted, self.seed)
        known = scores[tuning], inserted[tuning]

        def both(
            false: Integers, outside: int, missed: Integers, inside: int
        ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            accusing = _epsilon(inside - missed, inside, false, outside, delta, alpha)
            clearing = _epsilon(outside - false, outside, missed, inside, delta, alpha)
            return accusing, clearing

        cut = best(*known, lambda *seen: np.maximum(*both(*seen))) if tuning.any() else 0.5
        tried, seen = count(*known, cut), count(scores[~tuning], inserted[~tuning], cut)
        sides = [
            both(np.array(c.false), c.outside, np.array(c.missed), c.inside) for c in (tried, seen)
        ]
        chosen = int(sides[0][1] > sides[0][0])
        return max(0.0, float(sides[1][chosen]))


def _epsilon(
    hits: Integers, of: int, misses: Integers, among: int, delta: float, alpha: float
) -> NDArray[np.float64]:
    """log((hit rate - delta) / miss rate) at the pessimistic ends; -inf where nothing is left."""
    if not (of and among):
        return np.full(np.shape(hits), -np.inf)
    least = np.where(hits > 0, beta.ppf(alpha / 2, np.maximum(hits, 1), of - hits + 1), 0.0)
    left = np.maximum(among - misses, 1)
    most = np.where(misses < among, beta.ppf(1 - alpha / 2, misses + 1, left), 1.0)
    with np.errstate(divide="ignore"):
        epsilon: NDArray[np.float64] = np.log(np.maximum(least - delta, 0) / most)
    return epsilon
