"""A direction made exact by the rows that are zero along it, and draws beside those that are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

LADDER = (3e-2, 1e-2, 1e-3, 1e-4, 1e-5)
"""Entries below these shares of the largest are zeros, while a direction is made exact; last comes
the tolerance asked for."""
SPARE = 3
"""Zeros that a direction must have beyond those that any direction can be given."""
BRIDGE = 0.99
"""A zero of this leverage holds its direction alone."""
FLAT = 1e-8
"""Mean square, relative to the largest, of a second direction along which the zeros vanish too."""
DEPENDENT = 1e-3
"""A direction of which less than this leaves the span of those before it is made of them."""
ASIDE = 0.3
"""Length of what is random in a draw, beside what no direction found so far has a part in."""


def sharpen(basis: Tensor, direction: Tensor, zero: float) -> Tensor | None:
    """The direction orthogonal to the rows that are zero along one; None where these fix none.

    It is fixed where every one of its zeros could be left out and the others would still do: a sum
    of two examples has zeros where both have, and those that were chosen to make it.

    Args:
        basis: (m, b) float64, orthonormal columns.
        direction: (b,) of unit length, near the one that is sought.
        zero: an entry below this share of the largest is a zero.
    """
    size = basis.shape[1]
    if size == 1:
        return direction
    for limit in (*LADDER, zero):
        entries = (basis @ direction).abs()
        zeros = basis[entries < limit * entries.max()]
        if len(zeros) < size - 1 + SPARE:
            return None
        values, vectors = torch.linalg.eigh(zeros.T @ zeros)
        direction = vectors[:, 0]
    entries = (basis @ direction).abs()
    zeros = basis[entries < zero * entries.max()]
    if len(zeros) < size - 1 + SPARE:
        return None
    if float(values[1]) < FLAT * float(values[-1]):
        return None
    leverage = (zeros @ vectors[:, 1:]).square() @ (1 / values[1:])
    return direction if float(leverage.max()) < BRIDGE else None


def is_made_of(direction: Tensor, found: Sequence[Tensor]) -> bool:
    """Whether a unit direction is a sum of others, as the difference of two of them is."""
    if not found:
        return False
    span = torch.linalg.qr(torch.stack(list(found), 1)).Q
    return float((direction - span @ (direction @ span)).norm()) < DEPENDENT


def draw_beside(
    found: Sequence[Tensor], count: int, size: int, generator: torch.Generator
) -> Tensor:
    """(count, size) float64, drawn at random and mostly orthogonal to what is found."""
    drawn, aside = (
        torch.randn(count, size, generator=generator, dtype=torch.float64) for _ in range(2)
    )
    if found:
        span = torch.linalg.qr(torch.stack(list(found), 1)).Q.to(drawn)
        drawn = drawn - drawn @ span @ span.T
    return normalize(drawn, dim=1) + ASIDE * normalize(aside, dim=1)


def directions_of(found: Sequence[Tensor], mixing: Tensor) -> Tensor:
    """(k, b) of unit length, the directions for rows of which ``mixing`` (b, b) is the QR factor.

    Args:
        found: k directions (b,) for the orthonormal columns of that factorisation.
        mixing: upper triangular.
    """
    if not found:
        return mixing.new_zeros(0, len(mixing))
    told: Tensor = torch.linalg.solve_triangular(mixing, torch.stack(list(found)).T, upper=True)
    return normalize(told.T, dim=1)
