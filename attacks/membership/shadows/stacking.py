"""Brings batches, per-example gradients and plans of several models to one shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


def pad(rows: Tensor, length: int) -> Tensor:
    """(length, ...): the rows, then copies of the first; zeros where there are no rows."""
    if not len(rows):
        return rows.new_zeros((length, *rows.shape[1:]))
    more = rows[:1].expand(length - len(rows), *rows.shape[1:])
    return torch.cat([rows, more]) if len(more) else rows


def stack(values: Sequence[Any]) -> tuple[Any, Any]:
    """The models' plans as one, and what `vmap` is to map over: 0 for tensors, None for others."""
    first = values[0]
    if isinstance(first, Tensor):
        return torch.stack(list(values)), 0
    if isinstance(first, Mapping):
        parts = {k: stack([v[k] for v in values]) for k in first}
        return {k: p[0] for k, p in parts.items()}, {k: p[1] for k, p in parts.items()}
    if any(v != first for v in values):
        raise ValueError("the models' plans differ")
    return first, None
