"""What an adversary of an audit gets to see of one training, and how far that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

LOOKS = 12
"""Points of a run at which the scores so far are kept, to draw audited against claimed epsilon."""
Report = Callable[[str, int, int], None]


@dataclass
class Seen:
    """What one run gave.

    Attributes:
        inserted: (m,) bool, the truth.
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
    """Where a run stands, and how to keep it.

    Attributes:
        load: gives what `save` was last given, or None.
        save: keeps tensors by name.
        every: steps between two savings.
    """

    load: Callable[[], dict[str, Tensor] | None] = lambda: None
    save: Callable[[dict[str, Tensor]], None] = lambda kept: None
    every: int = field(default=10**9)


def looked_at(steps: int) -> list[int]:
    """Numbers of steps done at which scores are kept; the last is ``steps``."""
    return sorted({max(1, round(steps * (turn + 1) / LOOKS)) for turn in range(LOOKS)})
