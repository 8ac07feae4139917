"""Chooses a threshold on some canaries and counts on the others, so that no luck is counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from defenses import stream

Integers = NDArray[np.int64]
Worth = Callable[[Integers, int, Integers, int], NDArray[np.float64]]

TUNING = 0.2
"""Share of the canaries that choose; they count for nothing else."""


@dataclass(frozen=True)
class Counts:
    """What a threshold did: accusing ``score > threshold``.

    Attributes:
        outside: how many canaries were not inserted.
        false: how many of those outside are accused.
        inside: how many canaries were inserted.
        missed: how many of those inside are not accused.
    """

    outside: int
    false: int
    inside: int
    missed: int


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
    for i, kind in enumerate((inserted, ~inserted)):
        places = kind.nonzero()[:, 0]
        order = torch.randperm(len(places), generator=stream(seed, "audit-split", i))
        tuning[places[order[: round(TUNING * len(places))]]] = True
    return tuning


def best(scores: Tensor, inserted: Tensor, worth: Worth) -> float:
    """The threshold between (m,) scores that is worth most; midway where several are.

    Args:
        scores: (m,) scores of the canaries.
        inserted: (m,) bool, which of them were inserted.
        worth: what thresholds are worth, given (cuts,) numbers falsely accused, of all outside,
            and missed, of all inside.
    """
    values = scores.unique()
    cuts = (values[1:] + values[:-1]) / 2 if len(values) > 1 else values
    outside, inside = scores[~inserted].sort().values, scores[inserted].sort().values
    false = len(outside) - torch.searchsorted(outside, cuts, right=True)
    missed = torch.searchsorted(inside, cuts, right=True)
    worths = worth(false.numpy(), len(outside), missed.numpy(), len(inside))
    top = (worths == worths.max()).nonzero()[0]
    return float(cuts[int(top[len(top) // 2])])
