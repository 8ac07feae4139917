"""The directions of a batch's examples as corners of cones, found by linear programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.optimize import linprog
from torch import Tensor
from torch.nn.functional import normalize

from attacks.invert.matching.clock import Clock
from attacks.invert.sparsity.cones import Cone
from attacks.invert.sparsity.exact import directions_of, draw_beside, is_made_of, sharpen

PATIENCE = 300
"""Linear programs in a row that find nothing, after which there is nothing more to be found."""
TRIES = 4
"""Linear programs of one label, before the next label's turn."""


def ray_directions(
    rows: Tensor,
    cones: Sequence[Cone],
    known: Tensor,
    counts: Sequence[int],
    *,
    programs: int,
    zero: float,
    generator: torch.Generator,
    clock: Clock,
    fits: Callable[[Tensor], bool] = lambda _: True,
) -> Tensor:
    """The directions q for which ``rows @ q`` are one example's slopes, beyond the known ones.

    All q whose entries have the signs and sizes of a label are a polytope. An example of the label
    is one of its corners, and a blunt one, for half of its entries are 0: a linear objective drawn
    at random ends there often. The objectives are drawn beside the directions that are found,
    which drop out so: the fewer examples are left, the sooner they are found. Each is then made
    exact by its zeros, which no other corner has (`sharpen`). SPEAR (Dimitrov et al. 2024)
    draws rows instead, some 2^b times.

    Args:
        rows: (m, b) float64, of full column rank.
        cones: of each label; what their ``rows`` number are those of ``rows``.
        known: (k, b) of unit length, directions that need not be sought.
        counts: how many examples each label seems to have; a label of which so many are found
            waits until nothing is found of the others.
        programs: linear programs, at most; the search ends sooner where `PATIENCE` find nothing.
        zero: an entry below this share of the largest is a zero.
        generator: of the objectives.
        clock: ends the search.
        fits: as in `attacks.invert.sparsity.directions.sparse_directions`.

    Returns:
        (l, b) of unit length and full rank, k <= l <= b: those that are known, then the others.
    """
    basis, mixing = torch.linalg.qr(rows)
    size = basis.shape[1]
    found = [*normalize(known @ mixing.T, dim=1)]
    left = list(counts)
    for direction in found:
        left[_label_of(basis @ direction, cones)] -= 1
    solved, last, helped = 0, 0, True
    while len(found) < size and solved < programs and not clock.over:
        if solved - last > PATIENCE:
            break
        waiting = [label for label, count in enumerate(left) if count > 0]
        turn, helped = waiting if helped and waiting else range(len(cones)), False
        for label in turn:
            for _ in range(TRIES):
                if len(found) == size or solved == programs or clock.over:
                    break
                solved += 1
                objective = draw_beside(found, 1, size, generator)[0]
                direction = _new_ray(basis, cones[label], objective, found, zero)
                if direction is None or not fits(basis @ direction):
                    continue
                found.append(direction)
                left[label] -= 1
                last, helped = solved, True
    return directions_of(found, mixing)


def _label_of(entries: Tensor, cones: Sequence[Cone]) -> int:
    """The label in whose cone entries (m,) lie most nearly."""
    return min(range(len(cones)), key=lambda label: cones[label].misses(entries))


def _new_ray(
    basis: Tensor, cone: Cone, objective: Tensor, found: Sequence[Tensor], zero: float
) -> Tensor | None:
    """The exact direction (b,) that a linear program ends at; None where those found make it."""
    direction = _corner(basis, cone, objective)
    exact = None if direction is None else sharpen(basis, direction, zero)
    return None if exact is None or is_made_of(exact, found) else exact


def _corner(basis: Tensor, cone: Cone, objective: Tensor) -> Tensor | None:
    """The unit direction (b,) that a linear program ends at; None where it is the cone's tip."""
    if len(cone.rows) <= basis.shape[1]:
        return None
    signed = (basis[cone.rows] * cone.bound.sign()[:, None]).cpu().numpy()
    sizes = cone.bound.abs().cpu().numpy()
    ended = linprog(
        -objective.cpu().numpy(),
        A_ub=np.concatenate([-signed, signed]),
        b_ub=np.concatenate([np.zeros(len(sizes)), sizes / sizes.mean()]),
        bounds=(None, None),
        method="highs-ds",
    )
    if ended.status != 0 or not float(np.linalg.norm(ended.x)) > 0:
        return None
    return normalize(torch.as_tensor(ended.x).to(basis), dim=0)
