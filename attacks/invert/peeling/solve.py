"""What a layer was fed, by least squares on its weight's gradient."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

RIDGE = 1e-10
"""Of the mean diagonal, in the normal equations of a masked channel."""


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
        return _channelwise(matrix, right, visible)
    q, r = torch.linalg.qr(matrix)
    pivots = r.diagonal().abs()
    smallest = float(pivots.min())
    condition = float(pivots.max()) / smallest if smallest > 0 else float("inf")
    if condition > 1e12:
        return Solution(right.new_zeros(matrix.shape[1], right.shape[1]), 1.0, condition)
    projected = q.T @ right
    found = torch.linalg.solve_triangular(r, projected, upper=True)
    # Pythagoras would cancel: residuals of 1e-7 are what tells right masks from wrong ones.
    left = torch.linalg.norm(right - q @ projected)
    total = torch.linalg.norm(right).clamp(min=1e-300)
    return Solution(found, float(left / total), condition)


def _channelwise(matrix: Tensor, right: Tensor, visible: Tensor) -> Solution:
    """Normal equations of the visible rows of each channel, refined once."""
    columns, condition = [], 1.0
    left = total = 0.0
    for seen, value in zip(visible.T, right.T, strict=True):
        rows, target = matrix[seen], value[seen]
        gram = rows.T @ rows
        eye = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
        factor, _ = torch.linalg.cholesky_ex(gram + RIDGE * gram.diagonal().mean() * eye)
        pivots = factor.diagonal()
        condition = max(condition, float(pivots.max() / pivots.min().clamp(min=1e-300)))
        found = torch.cholesky_solve((rows.T @ target)[:, None], factor)[:, 0]
        rest = (rows.T @ (target - rows @ found))[:, None]
        found = found + torch.cholesky_solve(rest, factor)[:, 0]
        left += float((rows @ found - target).square().sum())
        total += float(target.square().sum())
        columns.append(found)
    residual = (left / max(total, 1e-300)) ** 0.5
    return Solution(torch.stack(columns, 1), residual, condition)
