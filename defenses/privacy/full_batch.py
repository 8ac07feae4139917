"""Epsilon of any composition of Gaussian releases of all the data, exactly.

Every such release is Gaussian differentially private, and so is all of them together, whether or
not a later one was asked for after an earlier one was seen (Dong et al. 2022, Corollary 3.3).
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from defenses.errors import BadInput
from defenses.privacy.tradeoff import epsilon_of, mu_of

CONVERSIONS = ("exact", "zcdp")
"""How mu becomes an epsilon: as it is, or by the looser bound of Mehta et al. (2022, 2023)."""
LARGEST_EPSILON = 1e4
SMALLEST_EPSILON = 1e-6
SLACK = 1e-9
"""Of mu, relative: what the root finder's last digits may be off by, given back."""


def mu_of_releases(noises: Iterable[float]) -> float:
    """The mu of Gaussian releases of the same data, sqrt(sum 1 / noise^2), >= 0.

    Args:
        noises: noise std over sensitivity of each release, >= 0; 0 makes mu infinite.
    """
    return math.hypot(*(1 / noise if noise > 0 else math.inf for noise in noises))


def epsilon_of_mu(mu: float, delta: float, conversion: str = "exact") -> float:
    """The epsilon >= 0 that a mu-GDP mechanism keeps at a delta.

    Args:
        mu: >= 0; infinity gives infinity.
        delta: in (0, 1).
        conversion: ``exact``, the least epsilon (Dong et al. 2022, Corollary 1), or ``zcdp``,
            rho + 2 sqrt(rho ln(1 / delta)) with rho = mu^2 / 2 (Bun and Steinke 2016, Proposition
            1.3), which Mehta et al. use and which is larger.

    Raises:
        BadInput: delta is outside its range, or an unknown conversion.
    """
    _check(delta, conversion)
    if math.isinf(mu):
        return math.inf
    if conversion == "exact":
        return epsilon_of(mu, delta)
    return mu**2 / 2 + 2 * math.sqrt(mu**2 / 2 * -math.log(delta))


def noise_of_epsilon(
    epsilon: float, *, delta: float, releases: int, conversion: str = "exact"
) -> float:
    """The noise std over sensitivity at which each of several releases has it, and all together.

    Args:
        epsilon: what all releases together may spend, in [`SMALLEST_EPSILON`, `LARGEST_EPSILON`].
        delta: in (0, 1).
        releases: how many there are, >= 1; each has the same noise over its own sensitivity.
        conversion: see `epsilon_of_mu`.

    Returns:
        The least noise > 0 within the budget, up to one part in a billion.

    Raises:
        BadInput: a number outside its range, or an unknown conversion.
    """
    _check(delta, conversion)
    if not SMALLEST_EPSILON <= epsilon <= LARGEST_EPSILON:
        raise BadInput(
            f"epsilon is {epsilon:g}; it must be in [{SMALLEST_EPSILON:g}, {LARGEST_EPSILON:g}]"
        )
    if releases < 1:
        raise BadInput(f"the number of releases is {releases}; it must be >= 1")
    if conversion == "exact":
        mu = mu_of(epsilon, delta)
    else:  # the root of a quadratic in sqrt(rho)
        # sqrt(a + epsilon) - sqrt(a), without the difference that loses the digits.
        a = -math.log(delta)
        mu = math.sqrt(2) * epsilon / (math.sqrt(a + epsilon) + math.sqrt(a))
    return math.sqrt(releases) / (mu * (1 - SLACK))


def _check(delta: float, conversion: str) -> None:
    if not 0 < delta < 1:
        raise BadInput(f"delta is {delta:g}; it must be in (0, 1)")
    if conversion not in CONVERSIONS:
        raise BadInput(f"unknown conversion {conversion!r}; known: {', '.join(CONVERSIONS)}")
