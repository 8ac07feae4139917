"""What a layer was fed, by least squares on its weight's gradient."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.invert.peeling.equations import solve_seen


@dataclass(frozen=True)
class Solution:
    """What a system says.

    Attributes:
        found: (N, channels).
        residual: norm of what is left over the norm of the right side.
        condition: largest over smallest pivot of the matrix: by how much errors may grow.
    """

    found: Tensor
    residual: float
    condition: float


def solve(matrix: Tensor, right: Tensor, visible: Tensor | None = None) -> Solution:
    """Least squares with the same matrix for all channels.

    Args:
        matrix: (R, N) float64, R >= N.
        right: (R, channels).
        visible: (R, channels) bool, True where the right side is known; None: everywhere, when
            one QR serves all channels.
    """
    if visible is not None and not bool(visible.all()):
        found = solve_seen(matrix, right, visible)
        return Solution(found.unknowns, found.residual, found.condition)
    q, r = torch.linalg.qr(matrix)
    pivots = r.diagonal().abs()
    smallest = float(pivots.min())
    condition = float(pivots.max()) / smallest if smallest > 0 else float("inf")
    if condition > 1e12:
        return Solution(right.new_zeros(matrix.shape[1], right.shape[1]), 1.0, condition)
    projected = q.T @ right
    unknowns = torch.linalg.solve_triangular(r, projected, upper=True)
    # Pythagoras would cancel: residuals of 1e-7 are what tells right masks from wrong ones.
    left = torch.linalg.norm(right - q @ projected)
    total = torch.linalg.norm(right).clamp(min=1e-300)
    return Solution(unknowns, float(left / total), condition)
