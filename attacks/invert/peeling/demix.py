"""Takes the mixed inputs of a batch apart: none is negative, and each has zeros of its own."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import linprog
from torch import Tensor

DRAWS = 60
"""Facets looked at, per example."""
ROWS = 4000
"""Rows that a facet is sought among, at most; all of them confirm it."""
FAINT = 3e-3
"""Rows shorter than this share of the longest say nothing."""
COARSE, FINE = 2e-3, 5e-4
"""A row of unit length vanishes below these, before and after the direction is refined."""
ZEROS = 0.005
"""Share of the rows that must vanish: far more than the B - 1 on any facet."""
FLAT = 1e-4
"""Mean square of a second direction over the rows that vanish, below which they fix none."""
NEGATIVE = 1e-3
"""An entry this far below 0 is negative; and the share of entries that may be."""
SAME = 0.9995
"""Cosine of two directions that are one."""


def demix(mixed: Tensor, *, generator: torch.Generator) -> Tensor | None:
    """The arrays of a space that are not negative and vanish where others do not.

    Inputs behind a ReLU are such arrays. The rows of any basis of their span then lie in a cone,
    and an array is what is measured from a facet of it: where the array vanishes, rows lie on the
    facet, and many do. Facets are vertices of linear programs with random objectives; those with
    many rows on them count (for linear layers: SPEAR, Dimitrov et al. 2024).

    Args:
        mixed: (n, B) float64, a basis of their span.
        generator: of the objectives.

    Returns:
        (n, B) one array a column, up to their scales and order; None where they are not found.
    """
    basis, _ = torch.linalg.qr(mixed)
    batch = basis.shape[1]
    if batch == 1:
        alone: Tensor = basis * torch.sign(basis.sum())
        return alone
    length = basis.norm(dim=1)
    rows = basis[length > FAINT * length.max()]
    rows = rows / rows.norm(dim=1, keepdim=True)
    if float((rows @ rows.mean(0)).median()) < 0:
        rows = -rows
    some = rows[torch.randperm(len(rows), generator=generator)[:ROWS]]
    found: list[Tensor] = []
    for _ in range(DRAWS * batch):
        objective = torch.randn(batch, generator=generator, dtype=torch.float64)
        facet = _facet(some, objective)
        facet = None if facet is None else _refine(facet.to(rows), rows)
        if facet is None or any(float((facet @ other).abs()) > SAME for other in found):
            continue
        found.append(facet)
        if len(found) == batch:
            arrays: Tensor = basis @ torch.stack(found, 1)
            return arrays * torch.sign(arrays.sum(0))
    return None


def _facet(rows: Tensor, objective: Tensor) -> Tensor | None:
    """(B,) the direction, positive on all rows, that is least along an objective."""
    middle = rows.mean(0).cpu().numpy()[None]
    least = linprog(
        objective.numpy(),
        A_ub=-rows.cpu().numpy(),
        b_ub=np.full(len(rows), NEGATIVE / 10),
        A_eq=middle,
        b_eq=[1.0],
        bounds=(None, None),
        method="highs",
    )
    if least.x is None:
        return None
    direction = torch.from_numpy(least.x)
    unit: Tensor = direction / direction.norm()
    return unit


def _refine(facet: Tensor, rows: Tensor) -> Tensor | None:
    """A direction made orthogonal to all rows on its facet; None when these are too few."""
    for limit in (COARSE, FINE):
        zero = (rows @ facet).abs() < limit
        if float(zero.double().mean()) < ZEROS:
            return None
        values, vectors = torch.linalg.eigh(rows[zero].T @ rows[zero])
        if float(values[1]) < FLAT * int(zero.sum()):
            return None
        facet = vectors[:, 0]
    entries = rows @ facet
    facet, entries = (-facet, -entries) if float(entries.sum()) < 0 else (facet, entries)
    return facet if float((entries < -NEGATIVE).double().mean()) < NEGATIVE else None
