"""A threshold chosen on some canaries and counted on the others, so that no luck is counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from defenses import stream

TUNING = 0.2
"""Share of the canaries that choose; they count for nothing else."""


@dataclass(frozen=True)
class Counts:
    """What a threshold did: accusing ``score > threshold``.

    Attributes:
        outside: canaries that were not inserted.
        false: of them, those accused.
        inside: canaries that were inserted.
        missed: of them, those not accused.
    """

    outside: int
    false: int
    inside: int
    missed: int

    def mirrored(self) -> Counts:
        """The same for whoever clears instead of accusing."""
        return Counts(self.inside, self.missed, self.outside, self.false)


def count(scores: Tensor, inserted: Tensor, threshold: float) -> Counts:
    """The counts of one threshold on (m,) canaries."""
    accused = scores > threshold
    return Counts(
        int((~inserted).sum()),
        int((accused & ~inserted).sum()),
        int(inserted.sum()),
        int((~accused & inserted).sum()),
    )


def split(inserted: Tensor, seed: int) -> Tensor:
    """(m,) bool: the canaries that choose the threshold, drawn from each kind alike."""
    tuning = torch.zeros(len(inserted), dtype=torch.bool)
    for turn, kind in enumerate((inserted, ~inserted)):
        places = kind.nonzero()[:, 0]
        order = torch.randperm(len(places), generator=stream(seed, "audit-split", turn))
        tuning[places[order[: round(TUNING * len(places))]]] = True
    return tuning


def best(scores: Tensor, inserted: Tensor, worth: Callable[[Counts], float]) -> float:
    """The threshold between (m,) scores that is worth most; midway where several are."""
    values = scores.unique()
    cuts = ((values[1:] + values[:-1]) / 2).tolist() if len(values) > 1 else values.tolist()
    worths = torch.tensor([worth(count(scores, inserted, cut)) for cut in cuts])
    top = (worths == worths.max()).nonzero()[:, 0]
    return float(cuts[int(top[len(top) // 2])])
