"""Sums over private examples, in double precision.

In single precision the sum of the others is rounded otherwise when an example joins, and a release
moves by more than that example's own part: by some millionths more at 20,000 examples, and no bound
of rounding excludes much more. In double precision it does: less than the rows are short of 1.
"""

from __future__ import annotations

import torch
from torch import Tensor

WIDE, NARROW = 4096, 256
"""Examples whose numbers are made double precision together. Where few columns are multiplied, few
examples, which stay in a core's cache: twice as fast; where many, many, since each part is added to
a matrix that does not."""
MANY = 64
"""Columns."""


def outer_sum(left: Tensor, right: Tensor) -> Tensor:
    """(k, d) float64 sum of a_i b_i^T over examples, rows a (N, k) and b (N, d)."""
    total = torch.zeros(left.shape[1], right.shape[1], dtype=torch.float64)
    rows = WIDE if left.shape[1] >= MANY else NARROW
    for one, other in zip(left.split(rows), right.split(rows), strict=True):
        total += one.double().T @ other.double()
    return total


def gramian(features: Tensor, weights: Tensor | None = None) -> Tensor:
    """(d, d) float64 sum of w_i x_i x_i^T over features (N, d), weights (N,) or 1."""
    return outer_sum(features if weights is None else weights[:, None] * features, features)
