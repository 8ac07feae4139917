"""The Gaussian-DP auditor (Nasr et al. 2023, "Tight Auditing of DP Machine Learning", Section 4).

One threshold's two error rates say how far apart two Gaussians must be at least. There both rates
get a Clopper-Pearson interval; here one exact test takes both counts together, which proves more
from the same canaries.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, log_ndtr
from torch import Tensor

from attacks.audit.contract import Auditor, largest_refuted, registry
from attacks.audit.counts import Counts, Integers, best, count, split
from defenses.privacy.tradeoff import epsilon_of

POINTS = np.linspace(-4, 4, 65)
"""Operating points at which the null hypothesis is tried; between them little changes."""


@registry.register("gdp")
@dataclass(frozen=True)
class GaussianDP(Auditor):
    """The largest mu refuted by false positives and negatives together, as epsilon at delta.

    The threshold is where both error rates are equal on a fifth of the canaries; the others are
    counted. The p-value of mu is the largest probability, over the operating points of a mu-GDP
    mechanism, of error rates whose sum is as small as that seen: exact, both counts being binomial.
    """

    gaussian: ClassVar[bool] = True
    assumes: ClassVar[str] = (
        "canaries that do not touch each other's scores, and a mechanism whose trade-off curve is "
        "that of Gaussian differential privacy"
    )

    def bound(self, scores: Tensor, inserted: Tensor, *, delta: float, alpha: float) -> float:
        """See `Auditor.bound`."""
        tuning = split(inserted, self.seed)
        cut = best(scores[tuning], inserted[tuning], _evenness) if tuning.any() else 0.5
        seen = count(scores[~tuning], inserted[~tuning], cut)
        return epsilon_of(largest_refuted(lambda mu: p_value(seen, mu) <= alpha, 32.0), delta)


def p_value(seen: Counts, mu: float) -> float:
    """The largest probability that mu-GDP gives to error rates with so small a sum."""
    errors = seen.false / seen.outside + seen.missed / seen.inside
    false = _binomial(seen.outside, -POINTS - mu / 2)
    missed = _binomial(seen.inside, POINTS - mu / 2).cumsum(1)
    # A hair more than exact, so that a sum of fractions is never cut off by rounding.
    left = np.floor((errors - np.arange(seen.outside + 1) / seen.outside) * seen.inside + 1e-9)
    possible = left >= 0
    left = left.clip(0, seen.inside).astype(int)
    return float((false * missed[:, left] * possible).sum(1).max())


def _binomial(trials: int, quantiles: NDArray[np.float64]) -> NDArray[np.float64]:
    """(points, trials + 1) probabilities of each count; the rates are Phi of the quantiles."""
    hits = np.arange(trials + 1)
    ways = gammaln(trials + 1) - gammaln(hits + 1) - gammaln(trials - hits + 1)
    some, none = log_ndtr(quantiles)[:, None], log_ndtr(-quantiles)[:, None]
    return np.exp(ways + hits * some + (trials - hits) * none)  # type: ignore[no-any-return]


def _evenness(false: Integers, outside: int, missed: Integers, inside: int) -> NDArray[np.float64]:
    gap: NDArray[np.float64] = -np.abs(false / max(1, outside) - missed / max(1, inside))
    return gap
