"""The least noise within a budget, by a bracket of the search."""

from __future__ import annotations

import math
from collections.abc import Callable

from defenses.errors import BadInput

PRECISION = 2e-4
"""Of the noise multiplier, relative."""
MOST_NOISE, LEAST_NOISE = 1e8, 1e-8


def least_noise(
    spent: Callable[[float], float], epsilon: float, start: float, step: float
) -> float:
    """The least noise (within `PRECISION`) that spends no more than ``epsilon``.

    The bracket grows from ``start`` by ``step`` and is narrowed, so that what comes back was seen
    to be within the budget.

    Args:
        spent: epsilon of a noise multiplier, which falls as the noise grows.
        epsilon: the budget, > 0.
        start: where the search starts, > 0.
        step: factor of its first step, > 1.

    Raises:
        BadInput: no noise up to `MOST_NOISE` is enough.
    """
    high = start
    while spent(high) > epsilon:
        step *= 1.0 if high == start else step
        high *= step
        if high > MOST_NOISE:
            raise BadInput(
                f"no noise multiplier up to {MOST_NOISE:g} gives epsilon {epsilon:g} by this "
                "accountant: allow a larger epsilon or delta, or take fewer steps"
            )
    low = high / step
    while (over := spent(low)) <= epsilon:
        low, high = low / step, low
        step *= step
        if high < LEAST_NOISE:
            return high
    under = spent(high)
    for turn in range(200):
        width = math.log(high / low)
        if width <= PRECISION:
            break
        guess = _interpolate(low, high, over, under, epsilon)
        if turn % 3 == 2 or guess is None:
            guess = math.sqrt(low * high)
        else:  # a little to the side that has moved less, so that both ends close in
            guess *= math.exp(PRECISION * (0.4 if turn % 3 == 0 else -0.4))
            guess = min(max(guess, low * math.exp(width / 20)), high * math.exp(-width / 20))
        value = spent(guess)
        if value <= epsilon:
            high, under = guess, value
        else:
            low, over = guess, value
    return high


def _interpolate(
    low: float, high: float, over: float, under: float, epsilon: float
) -> float | None:
    """Where a power law through both ends of the bracket has the epsilon; None: there is none."""
    if not (0 < under < over < math.inf):
        return None
    share = math.log(over / epsilon) / math.log(over / under)
    return low * math.exp(math.log(high / low) * share)
