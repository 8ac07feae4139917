"""An outer product, some of whose entries are seen, perhaps with noise."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

ROUNDS = 100
"""Of alternating least squares."""
STILL = 1e-9
"""A relative change of the columns below this ends them."""


class Outer(NamedTuple):
    """rows columns^T, of which every row and column that hangs together with one is known.

    Attributes:
        rows: (R,) float64.
        columns: (D,) float64, 1 at the anchor; 0 where ``known`` is False.
        known: (D,) bool, whether seen entries lead from the anchor to this column.
    """

    rows: Tensor
    columns: Tensor
    known: Tensor


def complete(matrix: Tensor, seen: Tensor, anchor: int) -> Outer:
    """The outer product that is nearest to the entries that are seen, in squares.

    Alternating least squares from a single column. Each round knows the rows that share an entry
    with a known column, then the columns that share one with these: without noise the values are
    exact as soon as they are reached, and what is never reached is in no way told.

    Args:
        matrix: (R, D) float64.
        seen: (R, D) bool; other entries say nothing. An entry of 0 leads nowhere.
        anchor: the column that is 1.
    """
    mask = seen.to(matrix)
    value = matrix * mask
    columns = torch.zeros_like(matrix[0])
    columns[anchor] = 1
    rows = torch.zeros_like(matrix[:, 0])
    for _ in range(ROUNDS):
        rows = _factors(value, mask, columns)
        fresh = _factors(value.T, mask.T, rows)
        if float(fresh[anchor]) == 0:
            break
        fresh = fresh / fresh[anchor]
        moved, columns = float((fresh - columns).norm()), fresh
        if moved <= STILL * float(columns.norm()):
            break
    return Outer(rows, columns, rows.square() @ mask > 0)


def _factors(value: Tensor, mask: Tensor, columns: Tensor) -> Tensor:
    """(R,) least-squares factor of the known columns in every row; 0 where none is seen."""
    power = mask @ columns.square()
    return (value @ columns) / torch.where(power > 0, power, 1.0)
