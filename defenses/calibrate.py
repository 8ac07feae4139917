"""The noise that an epsilon asks for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from defenses.accounting import Spent, gaussian_epsilon
from defenses.registry import BadInput

PRECISION = 2e-4
"""Of the noise multiplier, relative."""
MOST_NOISE, LEAST_NOISE = 1e8, 1e-8


def noise_for_epsilon(
    epsilon: float,
    *,
    steps: int,
    sample_rate: float,
    delta: float,
    accountant: str = "rdp",
    history: Sequence[Spent] = (),
) -> float:
    """The smallest noise multiplier (within 0.02%) whose `gaussian_epsilon` is <= ``epsilon``.

    The search keeps a bracket, so that what it returns was seen to be within the budget.

    Raises:
        BadInput: epsilon is not a positive finite number, ``history`` has spent it already, or
            no noise up to 1e8 makes it so small.
    """
    if not (epsilon > 0 and math.isfinite(epsilon)):
        raise BadInput(f"epsilon is {epsilon:g}; it must be > 0 and finite")
    known = {"delta": delta, "history": history}
    before = gaussian_epsilon(1, steps=0, sample_rate=1, accountant=accountant, **known)  # type: ignore[arg-type]
    if history and before >= epsilon:
        raise BadInput(f"epsilon {epsilon:g} is already spent: earlier training took {before:.4g}")

    def spent(name: str) -> Callable[[float], float]:
        run = {"steps": steps, "sample_rate": sample_rate, "accountant": name}
        return lambda noise: gaussian_epsilon(noise, **run, **known)  # type: ignore[arg-type]

    # PRV is the costly one; RDP's answer is a little too high, and mostly by less than a tenth.
    start, step = 1.0, 2.0
    if accountant == "prv" and (not history or 0.9 * epsilon > spent("rdp")(MOST_NOISE)):
        start, step = _least(spent("rdp"), epsilon, 1.0, 2.0), 1.1
    return _least(spent(accountant), epsilon, start, step)


def _least(spent: Callable[[float], float], epsilon: float, start: float, step: float) -> float:
    """The least noise within the budget, by a bracket that grows from ``start`` and is halved."""
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
        guess = _between(low, high, over, under, epsilon)
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


def _between(low: float, high: float, over: float, under: float, epsilon: float) -> float | None:
    """Where a power law through both ends of the bracket has the epsilon; None: there is none."""
    if not (0 < under < over < math.inf):
        return None
    share = math.log(over / epsilon) / math.log(over / under)
    return low * math.exp(math.log(high / low) * share)
