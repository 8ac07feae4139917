"""Noisy Gramians: made positive semidefinite, and inverted with a ridge."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor


@dataclass(frozen=True)
class Spectrum:
    """A symmetric matrix as its eigenvalues, those below 0 taken for 0, and eigenvectors.

    The nearest positive semidefinite matrix in Frobenius norm (Higham 1988). It is made of what
    was released, so it costs no privacy.

    Attributes:
        values: (d,) >= 0, ascending.
        vectors: (d, d), one eigenvector a column.
    """

    values: Tensor
    vectors: Tensor

    @classmethod
    @lru_cache(maxsize=1)  # whoever replays a fit asks for the spectrum of one release every time
    def of(cls, matrix: Tensor) -> Spectrum:
        """The spectrum of a symmetric (d, d) matrix, which nobody changes afterwards."""
        values, vectors = torch.linalg.eigh(matrix)
        return cls(values.clamp(min=0), vectors)

    def matrix(self) -> Tensor:
        """(d, d), positive semidefinite."""
        return (self.vectors * self.values) @ self.vectors.T

    def solve(self, ridge: float, right: Tensor) -> Tensor:
        """(k, d) rows (M + ridge I)^-1 r of rows r (k, d); ``ridge`` > 0."""
        return ((right @ self.vectors) / (self.values + ridge)) @ self.vectors.T


def ridge(strength: float, std: float, dim: int) -> float:
    """What is added to the diagonal of a noisy Gramian of ``dim`` features, without tuning.

    A share of the spectral radius of its noise, std * sqrt(2 dim), or 1, the largest eigenvalue
    of one example, where there is less noise than that.

    Args:
        strength: the share, >= 0.
        std: of the Gramian's noise.
        dim: d, the number of features.
    """
    return max(1.0, strength * std * math.sqrt(2 * dim))
