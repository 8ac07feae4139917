"""Defines a method that fits a private head: features and a mechanism in, weights out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from defenses import BadInput
from defenses.options import check_options
from defenses.registry import Registry
from victims.transfer.mechanism import Mechanism
from victims.transfer.sums import gramian


@dataclass(frozen=True)
class Problem:
    """Private examples as a method sees them.

    Attributes:
        features: (N, d) float32 or float64, rows of L2 norm at most 1: see `bound_rows`.
        labels: (N,) int64 in [0, classes).
        classes: L, which is public.
        size: the public number of examples, a divisor as a trainer's batch size is: that of the
            data, whichever neighbour of it the rows are of.

    Raises:
        BadInput: shapes, labels or norms that are not these, or no example.
    """

    features: Tensor
    labels: Tensor
    classes: int
    size: int

    def __post_init__(self) -> None:
        x, y = self.features, self.labels
        if x.ndim != 2 or not x.is_floating_point() or y.shape != x.shape[:1] or 0 in x.shape:
            shapes = f"{tuple(x.shape)} {x.dtype} and {tuple(y.shape)}"
            raise BadInput(f"features and labels are {shapes}; they must be floats (N, d) and (N,)")
        if self.classes < 2 or self.size < 1:
            raise BadInput(f"{self.classes} classes, size {self.size}; they must be >= 2 and >= 1")
        if int(y.min()) < 0 or int(y.max()) >= self.classes:
            raise BadInput(f"labels must be in [0, {self.classes - 1}]")
        longest = float(torch.linalg.vector_norm(x, dim=1, dtype=torch.float64).max())
        if not longest <= 1:
            raise BadInput(f"a row of the features has norm {longest:.9g}; it must be <= 1")

    @property
    def dim(self) -> int:
        """D, the number of features."""
        return self.features.shape[1]

    @cached_property
    def gramian(self) -> Tensor:
        """(D, D) float64 sum of x x^T, summed once for all fits; private, as the features are."""
        return gramian(self.features)

    @property
    def targets(self) -> Tensor:
        """(N, L), 1 where the label is and 0 elsewhere, in the features' type."""
        hot = torch.nn.functional.one_hot(self.labels, self.classes)
        return hot.to(self.features.dtype)


@dataclass(frozen=True)
class Method(ABC):
    """Fits a linear head on features; a frozen dataclass whose fields are flags.

    The head (L, d) has no bias. All that it learns of the examples passes through the mechanism,
    whose releases are Gaussian and all of the same noise multiplier, so that the account of a fit
    is their number. Neighbours differ by one example that is there or not (add/remove); under
    replacement a sum over classes changes by two of them, and the guarantee is of another kind.
    """

    name: ClassVar[str] = ""
    source: ClassVar[str] = ""
    """Author, year and equation."""
    squares: ClassVar[bool] = False
    """Whether it needs (d, d) matrices and their spectra."""

    def __post_init__(self) -> None:
        check_options(self)

    @abstractmethod
    def releases(self) -> int:
        """How many releases a fit makes."""

    @abstractmethod
    def fit(self, problem: Problem, mechanism: Mechanism) -> Tensor:
        """(L, d) float64 weights, whose logits of a row x are W x."""

    def sample_rate(self, size: int) -> float:
        """The probability with which each of ``size`` examples is in a release: 1, all are."""
        return 1.0


FAINTEST = 1e-30
"""A row of a smaller norm counts as 0: what scales it would overflow."""

registry: Registry[Method] = Registry("method", "leakgauge.heads")


def bound_rows(features: Tensor) -> Tensor:
    """(N, d) rows scaled to an L2 norm of 1, or 0 where there is nothing to scale, or no number.

    Each row by its own norm alone, so that it costs no privacy; never above 1, rounding included.
    A row that is NaN or infinite counts for nothing: to stop at it would tell that it is there.
    """
    norms = torch.linalg.vector_norm(features, dim=1, dtype=torch.float64)
    # Less by a few roundings, the quotient's and those of the entries' own type.
    within = 1 - 4 * torch.finfo(features.dtype).eps
    counts = (norms > FAINTEST) & norms.isfinite()
    factors = torch.where(counts, within / norms, 0.0).to(features.dtype)
    return torch.where(counts[:, None], features * factors[:, None], 0)
