"""Auditing with one training run (Steinke, Nasr and Jagielski 2023, Theorem 5.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import expit
from scipy.stats import binom
from torch import Tensor

from attacks.audit.contract import Auditor, largest_refuted, registry
from attacks.audit.guesses import Guesses, guesses


@registry.register("one-run")
@dataclass(frozen=True)
class OneRun(Auditor):
    """The largest epsilon under which so many right guesses are too unlikely.

    Under (epsilon, 0)-DP each guess is right with probability e^epsilon / (1 + e^epsilon) at most,
    whatever the others came to. Several numbers of guesses are tried, alpha shared among them.
    """

    assumes: ClassVar[str] = "each canary was inserted by a fair coin of its own; nothing else"

    def bound(self, scores: Tensor, inserted: Tensor, *, delta: float, alpha: float) -> float:
        """See `Auditor.bound`."""
        tried = guesses(scores, inserted, self.seed)
        return max(
            largest_refuted(lambda e, g=g: p_value(g, e, delta) <= alpha / len(tried))  # type: ignore[misc]
            for g in tried
        )


def p_value(seen: Guesses, epsilon: float, delta: float) -> float:
    """Probability that (epsilon, delta)-DP gives, at most, to so many right guesses."""
    chance = float(expit(epsilon))
    tail = float(binom.sf(seen.right - 1, seen.count, chance))
    # Delta moves mass of at most 2 m delta, spread over the i results just below, for some i.
    below = np.arange(1, seen.right + 1)
    moved = (binom.sf(seen.right - 1 - below, seen.count, chance) - tail) / below
    return min(1.0, tail + 2 * seen.canaries * delta * float(moved.max(initial=0.0)))
