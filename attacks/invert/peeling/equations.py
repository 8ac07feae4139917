"""Least squares where every right-hand side has rows of its own missing."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

RIDGE = 1e-12
"""Times the mean diagonal of the normal equations: what keeps a factorisation from failing."""
REFINED = 3
"""Steps against the rows themselves, which return the digits that squaring them costs."""


AT_ONCE = 2**25
"""Entries of all the normal equations that are held at a time."""


class Solution(NamedTuple):
    """What the rows that are seen say.

    Attributes:
        unknowns: (P, I).
        residual: norm of what is left over the norm of what is seen; 0 when nothing is.
        condition: largest over smallest pivot of the worst column's equations: by how much errors
            may grow.
    """

    unknowns: Tensor
    residual: float
    condition: float


class Belief(NamedTuple):
    """A Gaussian prior over the unknowns.

    Attributes:
        mean: (P, I).
        precision: (P, I), times the variance of the noise on a value.
    """

    mean: Tensor
    precision: Tensor


def solve_seen(
    rows: Tensor, values: Tensor, seen: Tensor | None = None, belief: Belief | None = None
) -> Solution:
    """Solve ``rows @ unknowns = values``, every column by its seen rows alone.

    Args:
        rows: (R, P) float64.
        values: (R, I) float64.
        seen: (R, I) bool; None: all.
        belief: what is known of the unknowns besides, for noisy values.
    """
    if seen is None or bool(seen.all()):
        seen, blocks = None, [slice(None)]
    else:
        width = max(1, AT_ONCE // rows.shape[1] ** 2)
        blocks = [slice(k, k + width) for k in range(0, values.shape[1], width)]
    parts, left, total, condition = [], 0.0, 0.0, 1.0
    for block in blocks:
        mask = None if seen is None else seen[:, block]
        some = None if belief is None else Belief(belief.mean[:, block], belief.precision[:, block])
        unknowns, rest, power, worst = _solve_block(rows, values[:, block], mask, some)
        parts.append(unknowns)
        left, total, condition = left + rest, total + power, max(condition, worst)
    return Solution(torch.cat(parts, 1), (left / max(total, 1e-300)) ** 0.5, condition)


def _solve_block(
    rows: Tensor, values: Tensor, seen: Tensor | None, belief: Belief | None
) -> tuple[Tensor, float, float, float]:
    """Some columns: unknowns, squares that are left and that are seen, and the condition."""
    mask = None if seen is None else seen.to(rows)
    grams = (rows.T @ rows)[None] if seen is None else torch.stack([_gram(rows[k]) for k in seen.T])
    visible = values if mask is None else values * mask
    size = grams.diagonal(dim1=-2, dim2=-1).mean(-1, keepdim=True)
    damping = (RIDGE * size + 1e-300).expand(-1, rows.shape[1])
    if belief is None:
        belief = Belief(rows.new_zeros(rows.shape[1], values.shape[1]), rows.new_zeros(1, 1))
    else:
        damping = damping + belief.precision.T
    factors = torch.linalg.cholesky_ex(grams + torch.diag_embed(damping))[0]
    pivots = factors.diagonal(dim1=-2, dim2=-1)
    worst = float((pivots.amax(-1) / pivots.amin(-1).clamp(min=1e-300)).max())
    unknowns = belief.mean
    for _ in range(REFINED):
        slope = rows.T @ (visible - _seen_product(rows, unknowns, mask))
        slope = slope - belief.precision * (unknowns - belief.mean)
        unknowns = unknowns + _solve(factors, slope)
    left = visible - _seen_product(rows, unknowns, mask)
    return unknowns, float(left.square().sum()), float(visible.square().sum()), worst


def _gram(rows: Tensor) -> Tensor:
    return rows.T @ rows


def _seen_product(rows: Tensor, unknowns: Tensor, mask: Tensor | None) -> Tensor:
    product = rows @ unknowns
    return product if mask is None else product * mask


def _solve(factors: Tensor, slope: Tensor) -> Tensor:
    """(P, I) by one factor for all columns, or one for each."""
    if len(factors) == 1:
        return torch.cholesky_solve(slope, factors[0])
    return torch.cholesky_solve(slope.T[..., None], factors)[..., 0].T
