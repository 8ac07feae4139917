"""Epsilon of the Gaussian mechanism, and the noise that an epsilon asks for.

Exact without subsampling, else by RDP or Opacus' PRV.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Sequence

import numpy as np

from defenses.errors import BadInput
from defenses.privacy.calibrate import MOST_NOISE, least_noise
from defenses.privacy.renyi import curve, epsilon_of_curve
from defenses.privacy.tradeoff import epsilon_of

ACCOUNTANTS = ("rdp", "prv")
LARGEST_PRV = 500.0
"""Above this epsilon the bound is RDP's whatever the accountant: PRV's numbers overflow."""
PRV_ERROR = 0.002
"""Error of PRV's epsilon over its size, which is added to it."""
LARGEST_GRID = 2**22
"""Points on which PRV may hold a privacy loss; where more were needed, its error is larger."""
Spent = tuple[float, float, int]
"""Noise multiplier, sample rate and number of releases, as Opacus' accountants write them."""


def gaussian_epsilon(
    noise_multiplier: float,
    *,
    steps: int,
    sample_rate: float,
    delta: float,
    accountant: str = "rdp",
    history: Sequence[Spent] = (),
) -> float:
    """Epsilon >= 0 after ``steps`` Poisson-subsampled Gaussian releases of sensitivity 1.

    Without subsampling the releases are one Gaussian mechanism, whose epsilon is known exactly
    (Balle and Wang 2018, Theorem 8), whatever the accountant. With it, every bound is valid and
    the least one counts: the accountant's and that of the same releases without subsampling.

    Args:
        noise_multiplier: noise std over sensitivity, >= 0; 0 gives infinity, infinity 0.
        steps: number of releases, >= 0.
        sample_rate: probability with which each example is in a batch, in (0, 1].
        delta: in (0, 1).
        accountant: ``"rdp"`` (Mironov 2017) or ``"prv"`` (Gopi et al. 2021; RDP's bound above
            epsilon 500 and where PRV finds none); add/remove adjacency.
        history: earlier releases of the same data, which compose with these.

    Raises:
        BadInput: a number outside its range, or an unknown accountant.
    """
    if not noise_multiplier >= 0:
        raise BadInput(f"the noise multiplier is {noise_multiplier:g}; it must be >= 0")
    if accountant not in ACCOUNTANTS:
        raise BadInput(f"unknown accountant {accountant!r}; known: {', '.join(ACCOUNTANTS)}")
    if not 0 < delta < 1:
        raise BadInput(f"delta is {delta:g}; it must be in (0, 1)")
    if not 0 < sample_rate <= 1:
        raise BadInput(f"the sample rate is {sample_rate:g}; it must be in (0, 1]")
    if steps < 0:
        raise BadInput(f"the number of steps is {steps}; it must be >= 0")
    ledgers = [*history, (noise_multiplier, sample_rate, steps)]
    spent = tuple((*entry,) for entry in ledgers if entry[2] > 0 and entry[0] < math.inf)
    if any(noise == 0 for noise, _, _ in spent):
        return math.inf
    return _bound(accountant, spent, delta) if spent else 0.0


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
        start, step = least_noise(spent("rdp"), epsilon, 1.0, 2.0), 1.1
    return least_noise(spent(accountant), epsilon, start, step)


@functools.lru_cache(maxsize=4096)  # a run asks for the same steps again and again
def _bound(name: str, spent: tuple[Spent, ...], delta: float) -> float:
    # By hypot, since a square of tiny noise overflows.
    mu = math.hypot(*(math.sqrt(steps) / noise for noise, _, steps in spent))
    if not math.isfinite(mu):
        return math.inf
    whole = epsilon_of(mu, delta)
    if whole == 0 or all(rate == 1 for _, rate, _ in spent) or whole > 1e7:
        return whole
    total = sum(steps * curve(noise, rate) for noise, rate, steps in spent)
    loose = min(whole, epsilon_of_curve(np.asarray(total), delta))
    if name == "prv" and 0 < loose < LARGEST_PRV:
        return min(loose, _prv(spent, delta, loose))
    return loose


def _prv(spent: tuple[Spent, ...], delta: float, loose: float) -> float:
    """Opacus' bound for an epsilon of at most ``loose``; infinite where it finds none."""
    from opacus.accountants import create_accountant

    full = math.hypot(*(math.sqrt(steps) / noise for noise, rate, steps in spent if rate == 1))
    ledger = create_accountant("prv")
    ledger.history = [entry for entry in spent if entry[1] < 1]
    if full:  # any number of them is one Gaussian mechanism
        ledger.history.append((1 / full, 1.0, 1))
    number = sum(steps for _, _, steps in ledger.history)
    # The grid's spacing that Opacus derives from the error, over the loss's range.
    spacing = 1 / math.sqrt(number * math.log(12_000 / delta) / 2)
    error = max(PRV_ERROR * loose, 2 * (2 * loose + 6) / spacing / LARGEST_GRID)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # "optimal order is the largest alpha": still a bound
        try:
            found = float(ledger.get_epsilon(delta, eps_error=min(error, 0.5)))
        except (ArithmeticError, MemoryError, RuntimeError, ValueError):
            return math.inf  # a delta below what its sums resolve
    return found if found > 0 else math.inf
