"""One threshold and Clopper-Pearson (Jagielski et al. 2020; Nasr et al. 2021)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from scipy.stats import beta
from torch import Tensor

from attacks.audit.contract import Auditor, registry
from attacks.audit.thresholds import Counts, best, count, split


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

        def worth(seen: Counts) -> float:
            return max(_epsilon(side, delta, alpha) for side in (seen, seen.mirrored()))

        cut = best(*known, worth) if tuning.any() else 0.5
        tried, seen = count(*known, cut), count(scores[~tuning], inserted[~tuning], cut)
        if _epsilon(tried.mirrored(), delta, alpha) > _epsilon(tried, delta, alpha):
            seen = seen.mirrored()
        return max(0.0, _epsilon(seen, delta, alpha))


def _epsilon(seen: Counts, delta: float, alpha: float) -> float:
    """log((TPR - delta) / FPR) at the pessimistic ends of both; -inf where nothing is left."""
    caught = seen.inside - seen.missed
    least = float(beta.ppf(alpha / 2, caught, seen.missed + 1)) if caught else 0.0
    clear = seen.outside - seen.false
    most = float(beta.ppf(1 - alpha / 2, seen.false + 1, clear)) if clear else 1.0
    return math.log((least - delta) / most) if least > delta else -math.inf
