"""The vectors of a space that are zero in many places: one for each example behind a ReLU."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import normalize

from attacks.invert.matching.clock import Clock
from attacks.invert.sparsity.exact import directions_of, draw_beside, is_made_of, sharpen

STARTS = 512
"""Directions that are walked down together."""
STEPS = 25
"""Reweighted least squares of each of them."""
SOFTEST, HARDEST, HARDER = 0.3, 1e-3, 0.75
"""Of the largest entry: what is small in the first step and in the last ones, and by what factor
that falls from one to the next."""
SAME = 0.999
"""Cosine of two directions that are one."""


def sparse_directions(
    rows: Tensor,
    known: Tensor | None = None,
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
    fraction of a second for b up to 16. One is right where its zeros fix it (`sharpen`). They
    start beside the directions that are found, where few are left to end at.

    Args:
        rows: (m, b) float64, of full column rank.
        known: (k, b) of unit length, directions that need not be sought.
        rounds: of `STARTS` starting directions, at most.
        zero: an entry below this share of the largest is a zero.
        generator: of the starts.
        clock: ends the search.
        fits: whether the entries ``rows @ q`` of a direction can be one example's, see
            `attacks.invert.sparsity.one_layer.can_be_slopes`.

    Returns:
        (l, b) of unit length and full rank, l <= b: those that are known, then what was found.
    """
    basis, mixing = torch.linalg.qr(rows)
    size = basis.shape[1]
    found = [] if known is None else [*normalize(known @ mixing.T, dim=1)]
    refused: list[Tensor] = []
    for _ in range(rounds):
        if len(found) == size or clock.over:
            break
        walked = _walk(basis, draw_beside(found, STARTS, size, generator).to(basis))
        order = (walked @ basis.T).abs().sum(1).argsort()
        for direction in walked[order]:
            if any(float((direction @ other).abs()) > SAME for other in (*found, *refused)):
                continue
            exact = sharpen(basis, direction, zero)
            if exact is None or any(float((exact @ other).abs()) > SAME for other in found):
                continue
            if is_made_of(exact, found):
                continue
            if not fits(basis @ exact):
                refused.append(exact)
                continue
            found.append(exact)
            if len(found) == size:
                break
    return directions_of(found, mixing)


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
