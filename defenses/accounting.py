"""Epsilon of the Gaussian mechanism, by Opacus' accountants."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Sequence

from scipy.optimize import brentq

from defenses.registry import BadInput

ACCOUNTANTS = ("rdp", "prv")
LARGEST_PRV = 20.0
"""Above this epsilon the bound is RDP's whatever the accountant."""
Spent = tuple[float, float, int]
"""Noise multiplier, sample rate and number of releases, as Opacus' accountants write them."""

# Opacus' own orders begin at 1.1, too coarse for the tiny noise that attacks are shown at.
ORDERS = [1 + 10 ** (k / 10) for k in range(-40, 21)]


def gaussian_epsilon(
    noise_multiplier: float,
    *,
    steps: int,
    sample_rate: float,
    delta: float,
    accountant: str = "rdp",
    history: Sequence[Spent] = (),
) -> float:
    """Epsilon after ``steps`` Poisson-subsampled Gaussian releases of sensitivity 1.

    Args:
        noise_multiplier: noise std over sensitivity, >= 0; 0 gives infinity.
        steps: number of releases, >= 0.
        sample_rate: probability with which each example is in a batch, in (0, 1].
        delta: in (0, 1).
        accountant: ``"rdp"`` (Mironov 2017) or ``"prv"`` (Gopi et al. 2021; RDP's bound above
            epsilon 20); add/remove adjacency.
        history: earlier releases of the same data, which compose with these.
    """
    if accountant not in ACCOUNTANTS:
        raise BadInput(f"unknown accountant {accountant!r}; known: {', '.join(ACCOUNTANTS)}")
    if not 0 < delta < 1:
        raise BadInput(f"delta is {delta:g}; it must be in (0, 1)")
    if not 0 < sample_rate <= 1:
        raise BadInput(f"the sample rate is {sample_rate:g}; it must be in (0, 1]")
    if steps < 0:
        raise BadInput(f"the number of steps is {steps}; it must be >= 0")
    ledgers = [*history, (noise_multiplier, sample_rate, steps)]
    spent = [entry for entry in ledgers if entry[2] > 0]
    if not spent:
        return 0.0
    if any(noise == 0 for noise, _, _ in spent):
        return math.inf
    loose = _bound("rdp", tuple(spent), delta)
    # PRV's grid grows with epsilon until no memory holds it; up there RDP's bound will do.
    if accountant == "prv" and loose < LARGEST_PRV:
        return _bound("prv", tuple(spent), delta)
    return loose


@functools.lru_cache(maxsize=4096)  # a run asks for the same steps again and again
def _bound(name: str, spent: tuple[Spent, ...], delta: float) -> float:
    from opacus.accountants import create_accountant

    ledger = create_accountant(name)
    ledger.history = list(spent)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "optimal order is the largest alpha": still a bound
        if name == "rdp":
            return float(ledger.get_epsilon(delta, alphas=ORDERS))
        return float(ledger.get_epsilon(delta))


def noise_for_epsilon(
    epsilon: float,
    *,
    steps: int,
    sample_rate: float,
    delta: float,
    accountant: str = "rdp",
    history: Sequence[Spent] = (),
) -> float:
    """The smallest noise multiplier (within 0.1%) whose `gaussian_epsilon` is at most ``epsilon``.

    Raises:
        BadInput: epsilon is not a positive finite number, or ``history`` has spent it already.
    """
    if not (epsilon > 0 and math.isfinite(epsilon)):
        raise BadInput(f"epsilon is {epsilon:g}; it must be > 0 and finite")

    if history:
        before = gaussian_epsilon(
            1, steps=0, sample_rate=1, delta=delta, accountant=accountant, history=history
        )
        if before >= epsilon:
            raise BadInput(
                f"epsilon {epsilon:g} is already spent: earlier training took {before:.4g}"
            )

    def search(name: str, high: float, step: float) -> float:
        @functools.cache
        def excess(log_noise: float) -> float:
            spent = gaussian_epsilon(
                math.exp(log_noise),
                steps=steps,
                sample_rate=sample_rate,
                delta=delta,
                accountant=name,
                history=history,
            )
            return math.log(spent / epsilon)

        top, width = math.log(high), math.log(step)
        while excess(top) > 0:
            top += width
        low = top - width
        while excess(low) <= 0:
            low, top = low - width, low
        root = brentq(excess, low, top, xtol=2e-4)
        while excess(root) > 0:
            root += 3e-4
        return math.exp(root)

    if accountant != "prv":
        return search(accountant, 1.0, 2.0)
    # PRV is the costly one; RDP's answer is a little too high, and mostly by less than a tenth.
    past = {"steps": 0, "sample_rate": 1.0, "delta": delta, "history": history}
    if gaussian_epsilon(1, **past) < 0.9 * epsilon:  # type: ignore[arg-type]
        return search("prv", search("rdp", 1.0, 2.0), 1.1)
    return search("prv", 1.0, 2.0)
