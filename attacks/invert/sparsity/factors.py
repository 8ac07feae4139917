"""A matrix of low rank as a product of two, from those of its entries that are seen."""

from __future__ import annotations

import torch
from torch import Tensor

from attacks.invert.matching.clock import Clock

RANK = 1e-6
"""A singular value below this share of the largest is the noise of float32."""
ROUNDS = 400
"""Of solving for one factor, given the other."""
SETTLED = 1e-7
"""Relative misfit at which entries that are seen are met."""
RIDGE, SMALLEST = 1e-12, 1e-100
"""Added to every system, relative to its size and in itself: some columns are not seen at all."""


def factors(matrix: Tensor, seen: Tensor, most: int, clock: Clock) -> tuple[Tensor, Tensor, float]:
    """Two factors whose product is the matrix where it is seen.

    Without a mask they are its singular vectors; under one each factor is solved for by least
    squares in turn (alternating least squares, Jain et al. 2013), with the rank that is allowed.

    Args:
        matrix: (m, n) float64, anything where it is not seen.
        seen: (m, n) bool.
        most: the largest rank.
        clock: ends the rounds.

    Returns:
        (m, r) and orthonormal (r, n) with r <= ``most``, and the relative misfit over what is
        seen.
    """
    whole = bool(seen.all())
    given = matrix * seen
    left, values, right = torch.linalg.svd(
        given if whole else given / seen.double().mean(), full_matrices=False
    )
    rank = min(most, int((values > RANK * values[0]).sum()))
    left, right = left[:, :rank] * values[:rank], right[:rank]
    size = given.norm().clamp(min=1e-300)
    misfit = float(((left @ right - given) * seen).norm() / size)
    if whole:
        return left, right, misfit
    visible = seen.double()
    for _ in range(ROUNDS):
        if misfit < SETTLED or clock.over:
            break
        left = torch.linalg.qr(left).Q
        right = _solve(left, given, visible)
        left = _solve(right.T, given.T, visible.T).T
        misfit = float(((left @ right - given) * seen).norm() / size)
    turned, lengths = torch.linalg.qr(right.T)
    return left @ lengths.T, turned.T, misfit


def _solve(known: Tensor, given: Tensor, visible: Tensor) -> Tensor:
    """(r, n) the other factor: each column by least squares on its entries that are seen.

    Args:
        known: (m, r), the factor that is known.
        given: (m, n), 0 where it is not seen.
        visible: (m, n), 1 where it is seen.
    """
    rank = known.shape[1]
    products = (known[:, :, None] * known[:, None]).flatten(1)
    systems = (visible.T @ products).unflatten(1, (rank, rank))
    ridge = (RIDGE * systems.diagonal(dim1=1, dim2=2).mean(1)).clamp(min=SMALLEST)
    systems.diagonal(dim1=1, dim2=2).add_(ridge[:, None])
    solution: Tensor = torch.linalg.solve(systems, (given.T @ known)[:, :, None])[:, :, 0].T
    return solution
