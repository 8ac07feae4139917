"""Holds what an adversary of an audit sees of one training, and keeps it while that runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

LOOKS = 12
"""Points of a run at which the scores so far are kept, to draw audited against claimed epsilon."""


@dataclass
class Seen:
    """What one run of an audit gave.

    Attributes:
        inserted: (m,) bool, which canaries were in the training data.
        scores: (looks, m) float64, higher = more likely inserted, at each of ``steps``.
        steps: (looks,) steps done.
        visible: (m,) bool, whether any release held anything of the canary, noise apart; None where
            releases are not seen.
    """

    inserted: Tensor
    scores: Tensor
    steps: list[int]
    visible: Tensor | None = None


@dataclass
class Course:
    """Loads and saves where a run stands, so that an interrupted one goes on.

    Attributes:
        load: returns what `save` was last given, or None.
        save: keeps tensors, by name.
        every: the number of steps between two savings.
    """

    load: Callable[[], dict[str, Tensor] | None] = lambda: None
    save: Callable[[dict[str, Tensor]], None] = lambda kept: None
    every: int = field(default=10**9)


def look_steps(steps: int) -> list[int]:
    """The numbers of steps done at which scores are kept, ascending; the last is ``steps``."""
    return sorted({max(1, round(steps * look / LOOKS)) for look in range(1, LOOKS + 1)})
