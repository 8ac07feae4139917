"""Computes shadow models' signals, and their means over those that saw an example or did not."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Signal = Callable[[Tensor, Tensor], Tensor]
"""(logits (N, Q, C), labels (N,)) -> (N, Q)."""


def over_shadows(signal: Signal, shadows: Tensor, labels: Tensor) -> Tensor:
    """One signal of every shadow model, (K, N, Q) float64; one model in memory at a time.

    Args:
        signal: see `Signal`.
        shadows: (K, N, Q, C) logits.
        labels: (N,).
    """
    if len(shadows) == 0:
        return torch.zeros(shadows.shape[:-1], dtype=torch.float64, device=shadows.device)
    return torch.stack([signal(logits, labels) for logits in shadows])


def mean_where(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over the shadows of (K, N, Q) where (K, N) holds, (N, Q); 0 where it holds nowhere."""
    weight = mask.unsqueeze(-1)
    return torch.where(weight, values, 0.0).sum(0) / weight.sum(0).clamp(min=1)


def log_mean_where(logs: Tensor, mask: Tensor) -> Tensor:
    """log of the mean of exp(logs), as `mean_where`, without underflow; -inf where it is empty."""
    kept = logs.masked_fill(~mask.unsqueeze(-1), -torch.inf)
    return kept.logsumexp(0) - mask.sum(0).clamp(min=1).log().unsqueeze(-1)
