"""Checks that batches are drawn as accountants assume: each example by a coin of its own."""

from __future__ import annotations

import math

import torch
from scipy import stats
from torch import Tensor

from defenses.conformance.finding import Verdict
from defenses.conformance.limits import CHANCE
from victims.conformance.loop import Loop, claims

DRAWS = 400
LAGS = 8
NORMAL = 6.0
"""Standard errors of what is only nearly normal."""


def sampling(loop: Loop) -> Verdict:
    """Sizes vary like a binomial's, each example joins at the claimed rate, steps forget.

    A ledger of the examples that `Trainer.sample` draws at each of some hundred steps. An epsilon
    rests on Poisson sampling; shuffled, fixed and weighted batches spend more.
    """
    trainer = loop.trainer()
    if not claims(trainer):
        return True, "claims no epsilon: sample as you like"
    rate = trainer.plan.sample_rate
    if rate == 1:
        drawn = trainer.sample()
        whole = torch.equal(drawn.sort().values, torch.arange(len(loop.inputs)))
        return whole, "every example in every batch" if whole else "rate 1, but some are left out"
    ledger = torch.zeros(DRAWS, len(loop.inputs))
    for step in range(DRAWS):
        trainer.step = step
        index = trainer.sample()
        if len(index.unique()) != len(index):
            return False, f"step {step} draws an example twice"
        ledger[step, index] = 1
    return judge(ledger, rate)


def judge(ledger: Tensor, rate: float) -> Verdict:
    """The verdict on a (steps, N) ledger of zeros and ones."""
    steps, count = ledger.shape
    variance = rate * (1 - rate)
    tails = (1 - 6 * variance) / (count * variance)
    sizes = float(ledger.sum(1).var()) / (count * variance)
    size_error = math.sqrt((2 + tails) / steps)
    if abs(sizes - 1) > NORMAL * size_error:
        fact = f"batch sizes vary {sizes:.2g} times as much as a binomial's"
        return False, f"{fact} (1 within {NORMAL * size_error:.2g})"
    joined = ledger.sum(0)
    for place in (int(joined.argmin()), int(joined.argmax())):
        seen = int(joined[place])
        tail = min(stats.binom.cdf(seen, steps, rate), stats.binom.sf(seen - 1, steps, rate))
        if tail < CHANCE / count:
            fact = f"example {place} joins {seen} of {steps} batches"
            return False, f"{fact} at a claimed rate of {rate:.3g} (p = {tail:.1g})"
    spread = float((joined - steps * rate).square().sum()) / (steps * variance)
    if not stats.chi2.ppf(CHANCE, count) < spread < stats.chi2.isf(CHANCE, count):
        fact = f"how often examples join varies {spread / count:.2g} times as much as by chance"
        return False, f"{fact}: they are dealt out, not drawn"
    centred = ledger - rate
    largest = 0.0
    for lag in range(1, min(LAGS, steps - 1) + 1):
        again = float((centred[lag:] * centred[:-lag]).sum())
        size = again / (variance * math.sqrt(count * (steps - lag)))
        largest = max(largest, abs(size))
        if abs(size) > NORMAL:
            fact = f"an example's draws are not independent {lag} steps apart"
            return False, f"{fact}: {size:.1f} standard errors, limit {NORMAL:g}"
    fact = f"{steps} batches of {count} examples: size variance {sizes:.2g} of a binomial's"
    return True, f"{fact}, lags within {largest:.1f} standard errors"
