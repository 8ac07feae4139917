"""Gaussian differential privacy and (epsilon, delta), each from the other (Dong et al. 2022)."""

from __future__ import annotations

import math

from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtr, ndtri

LARGEST_MU = 1e4
"""Above, epsilon is taken from its upper bound, which is then exact in all digits."""


def delta_of(epsilon: float, mu: float) -> float:
    """The least delta of a mu-GDP mechanism at an epsilon (Dong et al. 2022, Corollary 1)."""
    if mu <= 0:
        return 0.0
    if epsilon == 0:  # where both terms below are halves, and their difference loses its digits
        return math.erf(mu / math.sqrt(8))
    second = math.exp(epsilon + float(log_ndtr(-mu / 2 - epsilon / mu)))
    return float(ndtr(mu / 2 - epsilon / mu)) - second


def epsilon_of(mu: float, delta: float) -> float:
    """The least epsilon of a mu-GDP mechanism at a delta; 0 where delta alone covers mu."""
    if delta_of(0.0, mu) <= delta:
        return 0.0
    if mu > LARGEST_MU:  # the second term of delta counts for nothing
        return mu * (mu / 2 - float(ndtri(delta)))
    high = 1.0
    while delta_of(high, mu) > delta:
        high *= 2
    return float(brentq(lambda e: delta_of(e, mu) - delta, 0.0, high, xtol=1e-12 * high))


def mu_of(epsilon: float, delta: float) -> float:
    """The largest mu whose GDP implies (epsilon, delta)-DP; delta in (0, 1), epsilon >= 0."""
    high = 1.0
    while delta_of(epsilon, high) < delta:
        high *= 2
    return float(brentq(lambda mu: delta_of(epsilon, mu) - delta, 0.0, high, xtol=1e-12))
