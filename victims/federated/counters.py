"""Counts how often the server's parameters were updated (Shokri and Shmatikov 2015, Section 5)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def no_counts(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The counters before the first upload: float64 zeros of the parameters' shapes."""
    return {k: torch.zeros(v.shape, dtype=torch.float64) for k, v in weights.items()}


def count(
    counters: Mapping[str, Tensor], update: Mapping[str, Tensor], decay: float
) -> dict[str, Tensor]:
    """The counters after an upload: decayed, and one more where the update is not 0.

    Args:
        counters: parameter name -> float64 counters.
        update: parameter name -> what was uploaded, 0 where nothing was.
        decay: in (0, 1]; factor of all counters at every upload, so that old updates count less.
    """
    return {k: decay * v + (update[k] != 0) for k, v in counters.items()}
