"""What no membership attack exceeds, and what guessing reaches."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import trapezoid
from scipy.stats import norm

from reports.estimates.intervals import Values


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


def dp_area(epsilon: float, delta: float = 0.0) -> float:
    """Largest AUC under (epsilon, delta)-DP: the area under `dp_bound`, a line with two corners.

    Args:
        epsilon: >= 0, may be infinite.
        delta: in [0, 1].
    """
    turn = (1 - delta) / (1 + math.exp(min(epsilon, 700.0)))
    corners = np.array([0.0, turn, 1 - delta, 1.0])
    return float(trapezoid(dp_bound(corners, epsilon, delta), corners))


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
