"""The vectors of a space that are zero in many places: one for each example behind a ReLU."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import normalize

from attacks.invert.matching.clock import Clock

STARTS = 512
"""Directions that are walked down together."""
STEPS = 25
"""Reweighted least squares of each of them."""
SOFTEST, HARDEST, HARDER = 0.3, 1e-3, 0.75
"""Of the largest entry: what is small in the first step and in the last ones, and by what factor
that falls from one to the next."""
LADDER = (3e-2, 1e-2, 1e-3, 1e-4, 1e-5)
"""Entries below these shares of the largest are zeros, while a direction is made exact; last comes
the tolerance asked for."""
SPARE = 3
"""Zeros that a direction must have beyond those that any direction can be given."""
BRIDGE = 0.99
"""A zero of this leverage holds its direction alone."""
FLAT = 1e-8
"""Mean square, relative to the largest, of a second direction along which the zeros vanish too."""
SAME = 0.999
"""Cosine of two directions that are one."""
DEPENDENT = 1e-3
"""A direction of which less than this leaves the span of those before it is made of them."""


def sparse_directions(
    rows: Tensor,
    *,
    rounds: int,
    zero: float,
    generator: torch.Generator,
    clock: Clock,
    fits: Callable[[Tensor], bool] = lambda _: True,
) -> Tensor:
    """The directions q for which ``rows @ q`` has many zeros.

    Dimitrov et al. (2024, SPEAR) draw rows that might all be zero in one example; of b examples
    some 2^b draws are needed. Here directions walk to the nearest sparse one instead, by least
    squares that weigh an entry by one over its size (Daubechies et al. 2010), which takes a
    fraction of a second for b up to 16. One is right where every one of its zeros could be left
    out and the others would still fix it: a sum of two examples has zeros where both have, and
    those that were chosen to make it.

    Args:
        rows: (m, b) float64, of full column rank.
        rounds: of `STARTS` starting directions, at most.
        zero: an entry below this share of the largest is a zero.
        generator: of the starts.
        clock: ends the search.
        fits: whether the entries ``rows @ q`` of a direction can be one example's, see
            `attacks.invert.sparsity.one_layer.can_be_slopes`.

    Returns:
        (k, b) of unit length and full rank, k <= b: as many as were found.
    """
    basis, mixing = torch.linalg.qr(rows)
    size = basis.shape[1]
    found: list[Tensor] = []
    refused: list[Tensor] = []
    for _ in range(rounds):
        if len(found) == size or clock.over:
            break
        starts = torch.randn(STARTS, size, generator=generator, dtype=torch.float64)
        walked = _walk(basis, starts.to(basis))
        order = (walked @ basis.T).abs().sum(1).argsort()
        for direction in walked[order]:
            if any(float((direction @ other).abs()) > SAME for other in (*found, *refused)):
                continue
            exact = _made_exact(basis, direction, zero)
            if exact is None or any(float((exact @ other).abs()) > SAME for other in found):
                continue
            if found and _is_made_of(exact, found):
                continue
            if not fits(basis @ exact):
                refused.append(exact)
                continue
            found.append(exact)
            if len(found) == size:
                break
    if not found:
        return rows.new_zeros(0, size)
    told: Tensor = torch.linalg.solve_triangular(mixing, torch.stack(found).T, upper=True).T
    return normalize(told, dim=1)


def _is_made_of(direction: Tensor, found: list[Tensor]) -> bool:
    """Whether a unit direction is a sum of others, as the difference of two of them is."""
    span = torch.linalg.qr(torch.stack(found, 1)).Q
    return float((direction - span @ (direction @ span)).norm()) < DEPENDENT


def _walk(basis: Tensor, starts: Tensor) -> Tensor:
    """(S, b) unit directions after least squares reweighted towards a small sum of sizes."""
    size = basis.shape[1]
    ridge = 1e-9 * torch.eye(size, dtype=basis.dtype, device=basis.device)
    at = normalize(starts, dim=1)
    for step in range(STEPS):
        entries = at @ basis.T
        soft = max(HARDEST, SOFTEST * HARDER**step) * entries.abs().amax(1, keepdim=True)
        weight = (entries.square() + soft.square()).rsqrt()
        weight = weight / weight.mean(1, keepdim=True)
        matrix = (weight[:, :, None] * basis).transpose(1, 2) @ basis + ridge
        at = normalize(torch.linalg.solve(matrix, at[:, :, None])[:, :, 0], dim=1)
    return at


def _made_exact(basis: Tensor, direction: Tensor, zero: float) -> Tensor | None:
    """The direction orthogonal to the rows that are zero along it; None where these fix none."""
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
