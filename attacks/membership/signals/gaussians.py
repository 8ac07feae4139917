"""Fits distributions to the shadow models' signals of every example."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from defenses import BadInput

TINY = 1e-12
"""Smallest variance, so that shadows which all agree do not divide by zero."""


@dataclass(frozen=True, eq=False)
class Side:
    """The signals of one side: shadows that saw the examples, or those that did not.

    Attributes:
        word: ``in`` or ``out``, for messages.
        values: (K, N, Q) float64.
        mask: (K, N) bool, which of them belong to this side.
    """

    word: str
    values: Tensor
    mask: Tensor

    @property
    def counts(self) -> Tensor:
        """(N,) float64, how many shadows are on this side."""
        return self.mask.sum(0).double()

    @property
    def mean(self) -> Tensor:
        """(N, Q) mean of each example on this side only."""
        values = torch.where(self.mask.unsqueeze(-1), self.values, 0.0)
        return values.sum(0) / self.counts.clamp(min=1).unsqueeze(-1)

    @property
    def residuals(self) -> Tensor:
        """(K, N, Q) distance from the example's mean; 0 off this side."""
        return torch.where(self.mask.unsqueeze(-1), self.values - self.mean, 0.0)

    def example_variance(self) -> Tensor:
        """(N, Q) unbiased variance of each example.

        Raises:
            BadInput: an example has fewer than two shadows on this side.
        """
        counts = self.counts
        if bool((counts < 2).any()):
            first = int((counts < 2).nonzero()[0])
            raise BadInput(
                f"variance example needs two shadow models {self.word} for every example; "
                f"example {first} has {int(counts[first])}"
            )
        variance = self.residuals.square().sum(0) / (counts - 1).unsqueeze(-1)
        return variance.clamp(min=TINY)

    def pooled_variance(self) -> Tensor:
        """(1, Q) variance around the examples' own means, one for all examples.

        Raises:
            BadInput: no example has two shadows on this side.
        """
        return (self.residuals.square().sum((0, 1)) / self._freedom(1)).clamp(min=TINY)[None]

    def pooled_covariance(self) -> Tensor:
        """(Q, Q) covariance of the queries around the examples' own means.

        Raises:
            BadInput: too few shadows on this side for Q queries.
        """
        left = self.residuals.flatten(0, 1)
        queries = left.shape[-1]
        covariance = left.T @ left / self._freedom(queries)
        ridge = 1e-6 * float(covariance.diagonal().mean()) + TINY
        return covariance + ridge * torch.eye(queries).to(covariance)

    def _freedom(self, needed: int) -> float:
        """Degrees of freedom left for a variance, over all examples."""
        freedom = float((self.counts - 1).clamp(min=0).sum())
        if freedom < needed:
            raise BadInput(
                f"a variance needs examples with two or more shadow models {self.word}: "
                f"{needed} degrees of freedom, not {freedom:g}"
            )
        return freedom


def log_normal(value: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """log N(value; mean, variance), elementwise."""
    return -0.5 * ((value - mean).square() / variance + variance.log() + math.log(2 * math.pi))


def log_student(value: Tensor, mean: Tensor, variance: Tensor, freedom: Tensor) -> Tensor:
    """Log density of Student's t at ``value``, elementwise, scaled by ``variance``."""
    half = (freedom + 1) / 2
    size = torch.lgamma(half) - torch.lgamma(freedom / 2) - (freedom * math.pi * variance).log() / 2
    return size - half * torch.log1p((value - mean).square() / (variance * freedom))


def log_joint_normal(value: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    """log N(value; mean, covariance) of (N, Q) rows, (N,)."""
    factor = torch.linalg.cholesky(covariance)
    white = torch.linalg.solve_triangular(factor, (value - mean).T, upper=False)
    size = value.shape[-1] * math.log(2 * math.pi) + 2 * factor.diagonal().log().sum()
    density: Tensor = -0.5 * (white.square().sum(0) + size)
    return density
