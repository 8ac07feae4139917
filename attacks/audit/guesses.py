"""Guesses about the canaries that score highest and lowest, and abstains from the others."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from defenses import stream

SHARES = (1.0, 0.5, 0.25, 0.125, 0.0625)
"""Shares of the canaries about which an auditor guesses; each costs its part of alpha."""


@dataclass(frozen=True)
class Guesses:
    """How the guesses went.

    Attributes:
        canaries: the number of canaries, m.
        count: the number of guesses, r: half of them "inserted" for the highest scores, half "not"
            for the lowest.
        right: how many of the guesses are right, v.
    """

    canaries: int
    count: int
    right: int


def guesses(scores: Tensor, inserted: Tensor, seed: int) -> list[Guesses]:
    """How guesses about each of `SHARES` of the (m,) canaries went.

    Equal scores are ordered at random: their places may tell which were inserted.
    """
    total = len(scores)
    shuffled = torch.randperm(total, generator=stream(seed, "audit-ties"))
    order = shuffled[scores[shuffled].argsort(stable=True)]
    bits = inserted[order]
    halves = sorted({max(1, int(share * total / 2)) for share in SHARES})
    return [
        Guesses(total, 2 * half, int((~bits[:half]).sum()) + int(bits[-half:].sum()))
        for half in halves
    ]
