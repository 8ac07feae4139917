"""How often each label is in a batch, where labels are told apart by what images vary by."""

from __future__ import annotations

import math

import torch
from torch import Tensor

KEPT = 1e-3
"""Of the mean variance, what every direction has beside its own: none is believed to be exact."""
MANY = 128
"""Classes; of more the exchanges would be too many to try."""
STARTS = 20
"""First exchanges that are followed up, the best ones: two wrong counts may hide each other."""
MOVES = 100
"""At most so many labels are exchanged for others."""


def mend_counts(counts: Tensor, templates: Tensor, observed: Tensor, spread: Tensor) -> Tensor:
    """(classes,) int64, the likeliest counts near others, by exchanging one label for another.

    A batch's slopes lie around the labels' by what its images vary by, which is mostly one
    direction (how bright they are, say). What is off along it says little of the labels: a Gaussian
    of that covariance does, where rounding each count by itself takes all directions alike.

    Args:
        counts: (classes,), of B labels, to start from.
        templates: (classes, P), the mean of what one example of each label adds.
        observed: (P,), of the whole batch.
        spread: (P, P), covariance of ``observed`` at given labels.
    """
    if len(counts) > MANY:
        return counts
    size = spread.diagonal().mean().clamp(min=1e-300)
    weigh = torch.linalg.inv(spread / size + KEPT * torch.eye(len(spread)).to(spread))
    moves = templates[:, None] - templates[None]  # from the first label to the second

    def misfits(counts: Tensor) -> Tensor:
        left = observed - counts.to(templates) @ templates + moves
        tried = torch.einsum("abi,ij,abj->ab", left, weigh, left)
        here = float(tried[0, 0])  # a label for itself
        tried[counts == 0] = torch.inf
        return tried.fill_diagonal_(here)

    def descend(counts: Tensor) -> tuple[float, Tensor]:
        tried, here = misfits(counts), math.inf
        for _ in range(MOVES):
            if not float(tried.min()) < here * (1 - 1e-9):
                break
            here = float(tried.min())
            counts = _exchange(counts, int(tried.argmin()))
            tried = misfits(counts)
        return here, counts

    tried = misfits(counts).flatten()
    found = [descend(counts)]
    for move in tried.argsort(stable=True)[:STARTS]:
        if bool(tried[move].isfinite()):
            found.append(descend(_exchange(counts, int(move))))
    return min(found, key=lambda one: one[0])[1]


def _exchange(counts: Tensor, move: int) -> Tensor:
    """The counts with one label for another, by the place of the pair among all."""
    here, there = divmod(move, len(counts))
    counts = counts.clone()
    counts[here] -= 1
    counts[there] += 1
    return counts
