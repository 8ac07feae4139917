"""Which examples a step sees."""

from __future__ import annotations

import torch
from torch import Tensor

from defenses import stream


def poisson(examples: int, rate: float, generator: torch.Generator) -> Tensor:
    """Indices of the examples that each joined with probability ``rate``; may be none."""
    return (torch.rand(examples, generator=generator, dtype=torch.float64) < rate).nonzero()[:, 0]


def shuffled(examples: int, batch_size: int, step: int, seed: int) -> Tensor:
    """(batch_size,) indices: fixed batches of a new order every epoch; what is left over waits."""
    epoch, place = divmod(step, examples // batch_size)
    order = torch.randperm(examples, generator=stream(seed, "order", epoch))
    return order[place * batch_size : (place + 1) * batch_size]
