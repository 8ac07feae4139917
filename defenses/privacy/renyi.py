"""Renyi differential privacy of the Poisson-subsampled Gaussian mechanism."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

# From near 1, for the tiny noise that attacks are shown at.
FRACTIONS = [1 + 10 ** (k / 20) for k in range(-80, 17)]
# Small epsilons need high orders, of which whole ones have a closed form that does not overflow.
WHOLE = [*range(2, 65), *(round(2 ** (k / 4)) for k in range(25, 65))]
LEAST_NOISE = 0.02
"""Less takes too fine a grid; epsilon is then in the hundreds, and sampling hardly lowers it."""
INTEGRAL_ERROR = 1e-13
"""Of the logarithm of a moment; added to it."""
ORDERS = np.array([*FRACTIONS, *WHOLE], dtype=float)


@functools.lru_cache(maxsize=512)
def curve(noise: float, sample_rate: float) -> NDArray[np.float64]:
    """Renyi divergence of one release at each of `ORDERS`; infinite where it cannot be computed.

    Args:
        noise: noise std over sensitivity, > 0.
        sample_rate: in (0, 1].
    """
    if sample_rate == 1:
        return ORDERS / (2 * noise**2)
    found = [_fraction(noise, sample_rate, order) for order in FRACTIONS]
    found += [_whole(noise, sample_rate, order) for order in WHOLE]
    return np.array(found)


def _fraction(noise: float, sample_rate: float, order: float) -> float:
    """By the trapezoid rule, whose error falls exponentially for so smooth an integrand.

    The moment is that of the ratio of N(1, noise^2), sampled, to N(0, noise^2) under the latter
    (Mironov, Talwar and Zhang 2019, Section 3.3). Its logarithm has poles pi noise^2 off the axis.
    """
    if noise < LEAST_NOISE:
        return math.inf
    step = min(noise / 2, noise**2 / 2)
    z = np.arange(-12 * noise, order + 12 * noise, step)
    ratio = np.logaddexp(
        math.log1p(-sample_rate), math.log(sample_rate) + (2 * z - 1) / (2 * noise**2)
    )
    density = -(z**2) / (2 * noise**2) - math.log(noise * math.sqrt(2 * math.pi))
    moment = float(logsumexp(order * ratio + density)) + math.log(step)
    return (max(0.0, moment) + INTEGRAL_ERROR) / (order - 1)


def _whole(noise: float, sample_rate: float, order: int) -> float:
    """At an integer order, in closed form (the same, equation 5)."""
    k = np.arange(order + 1)
    chosen = gammaln(order + 1) - gammaln(k + 1) - gammaln(order - k + 1)
    weight = k * math.log(sample_rate) + (order - k) * math.log1p(-sample_rate)
    moment = logsumexp(chosen + weight + k * (k - 1) / (2 * noise**2))
    return max(0.0, float(moment)) / (order - 1)


def epsilon_of_curve(divergence: NDArray[np.float64], delta: float) -> float:
    """The least epsilon >= 0 that divergences at `ORDERS` prove (Balle et al. 2020, Theorem 21)."""
    paid = (math.log(delta) + np.log(ORDERS)) / (ORDERS - 1)
    found = divergence - paid + np.log1p(-1 / ORDERS)
    return max(0.0, float(found.min()))
