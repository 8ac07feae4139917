"""The f-DP sharpening of the one-run audit (Mahloujifar, Melis and Chaudhuri 2024, Algorithm 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scipy.special import ndtr, ndtri
from torch import Tensor

from attacks.audit.contract import Auditor, largest_refuted, registry
from attacks.audit.guesses import Guesses, guesses
from defenses.privacy.tradeoff import epsilon_of


@registry.register("one-run-fdp")
@dataclass(frozen=True)
class OneRunFDP(Auditor):
    """The largest mu under which so many right guesses are too unlikely, as epsilon at delta.

    Where (epsilon, delta) treats every guess as the most revealing one, the whole trade-off curve
    knows that such guesses are rare. Several numbers of guesses are tried, alpha shared among them.
    """

    gaussian: ClassVar[bool] = True
    assumes: ClassVar[str] = (
        "each canary was inserted by a fair coin of its own, and a mechanism whose trade-off curve "
        "is that of Gaussian differential privacy"
    )

    def bound(self, scores: Tensor, inserted: Tensor, *, delta: float, alpha: float) -> float:
        """See `Auditor.bound`."""
        tried = guesses(scores, inserted, self.seed)
        mu = max(
            largest_refuted(lambda mu, g=g: refutes(g, mu, alpha / len(tried)), 32.0)  # type: ignore[misc]
            for g in tried
        )
        return epsilon_of(mu, delta)


def refutes(seen: Guesses, mu: float, alpha: float) -> bool:
    """Whether mu-GDP gives at most alpha to ``right`` or more of the guesses being right.

    Suppose the probability is alpha. Write p_i for that of exactly i right guesses. The chance
    that a given canary is among right guesses numbering ``right`` or more is then at least
    ``inside``, that of being among the wrong ones at most ``outside``; privacy ties the former
    to the latter one result further down, and so, step by step, says how much mass must lie below
    ``right``. More than there is refutes.
    """
    inside = alpha * seen.right / seen.canaries
    outside = alpha * (seen.count - seen.right) / seen.canaries
    most = seen.count / seen.canaries
    for i in range(seen.right - 1, -1, -1):
        needed = max(outside, float(ndtr(ndtri(inside) - mu)))
        if needed == outside:
            break  # nothing changes from here on
        inside += i / (seen.count - i) * (needed - outside)
        outside = needed
        if inside + outside > most:
            return True
    return inside + outside > most
