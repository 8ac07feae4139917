"""Samples the examples of a step."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def poisson_batch(examples: int, rate: float, generator: torch.Generator) -> Tensor:
    """Indices of the examples that each joined with probability ``rate``; may be none."""
    return (torch.rand(examples, generator=generator, dtype=torch.float64) < rate).nonzero()[:, 0]


def shuffled_batch(
    examples: int, batch_size: int, step: int, order: Callable[[int], torch.Generator]
) -> Tensor:
    """(batch_size,) indices: fixed batches of a new order every epoch; what is left over waits.

    Fewer examples than a batch are all in it.
    ``order`` gives the generator of an epoch's order, the same one whenever it is asked.
    """
    epoch, place = divmod(step, max(1, examples // batch_size))
    drawn = torch.randperm(examples, generator=order(epoch))
    return drawn[place * batch_size : (place + 1) * batch_size]
