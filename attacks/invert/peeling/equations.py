"""Least squares where every right-hand side has rows of its own missing."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

RIDGE = 1e-12
"""Times the mean diagonal of the normal equations: what keeps a factorisation from failing."""
REFINED = 3
"""Steps against the rows themselves, which return the digits that squaring them costs."""


class Solution(NamedTuple):
    """What the rows that are seen say.

    Attributes:
        unknowns: (P, I).
        residual: norm of what is left over the norm of what is seen; 0 when nothing is.
    """

    unknowns: Tensor
    residual: float


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
        mask, grams = None, (rows.T @ rows)[None]
    else:
        mask = seen.to(rows)
        grams = torch.stack([_gram(rows[keep]) for keep in seen.T])
    visible = values if mask is None else values * mask
    size = grams.diagonal(dim1=-2, dim2=-1).mean(-1, keepdim=True)
    damping = (RIDGE * size + 1e-300).expand(-1, rows.shape[1])
    if belief is None:
        belief = Belief(rows.new_zeros(rows.shape[1], values.shape[1]), rows.new_zeros(1, 1))
    else:
        damping = damping + belief.precision.T
    factors = torch.linalg.cholesky_ex(grams + torch.diag_embed(damping))[0]
    unknowns = belief.mean
    for _ in range(REFINED):
        slope = rows.T @ (visible - _seen_product(rows, unknowns, mask))
        slope = slope - belief.precision * (unknowns - belief.mean)
        unknowns = unknowns + _solve(factors, slope)
    left = visible - _seen_product(rows, unknowns, mask)
    return Solution(unknowns, float(left.norm() / visible.norm().clamp(min=1e-300)))


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
