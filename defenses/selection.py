"""Which coordinates of an update are sent (Shokri and Shmatikov 2015, Section 5)."""

from __future__ import annotations

import torch
from torch import Tensor

SELECTIONS = ("largest", "random", "all")
"""Names of the rules by which coordinates are selected."""


def share_of(total: int, theta: float) -> int:
    """How many coordinates a share theta in (0, 1] of ``total`` is: rounded down, at least one."""
    return max(1, int(theta * total + 1e-9))


def largest(sizes: Tensor, count: int) -> Tensor:
    """(P,) bool, True for the ``count`` largest of (P,) sizes; no randomness."""
    chosen = torch.zeros_like(sizes, dtype=torch.bool)
    chosen[sizes.topk(count).indices] = True
    return chosen


def random_above(sizes: Tensor, tau: float, count: int, generator: torch.Generator) -> Tensor:
    """(P,) bool, True for ``count`` of the sizes above tau, drawn at random; all, if fewer are.

    Args:
        sizes: (P,) magnitudes.
        tau: in their unit, >= 0.
        count: >= 1.
        generator: CPU generator; draws P numbers whatever the sizes are.
    """
    draw = torch.rand(sizes.shape, generator=generator, dtype=torch.float64).to(sizes.device)
    above = sizes > tau
    order = torch.where(above, draw, -1.0)
    return largest(order, min(count, len(sizes))) & above
