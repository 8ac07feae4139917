"""Per-example gradients of one parameter that are known without being formed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import torch
from torch import Tensor


class Implicit(ABC):
    """The gradients of B examples in one parameter, (B, *shape), of which only sums are made.

    What a defense that clips needs of them are norms and weighted sums. An example whose gradient
    is not finite has a norm that is not finite, and no other example's norm depends on it.
    """

    @property
    @abstractmethod
    def dtype(self) -> torch.dtype:
        """The type of the gradients' numbers."""

    @property
    @abstractmethod
    def requires_grad(self) -> bool:
        """Whether what is made of these gradients is being differentiated."""

    @abstractmethod
    def __len__(self) -> int:
        """The number B of examples."""

    @abstractmethod
    def apply_mask(self, mask: Tensor) -> Self:
        """The same gradients on the coordinates that ``mask`` (of the shape) keeps."""

    @abstractmethod
    def squared_norms(self) -> Tensor:
        """(B,) float64 squared L2 norms: those of what `weighted_sum` adds, up to roundings."""

    @abstractmethod
    def weighted_sum(self, factors: Tensor) -> Tensor:
        """(*shape) sum over the examples, each times its factor (B,)."""

    @abstractmethod
    def dense(self) -> Tensor:
        """(B, *shape), formed."""

    @abstractmethod
    def select(self, keep: Tensor) -> Self:
        """The examples where ``keep`` (B,) is True."""

    @abstractmethod
    def blank(self, keep: Tensor) -> Self:
        """All examples; the gradient is zero where ``keep`` (B,) is False, even for NaN."""

    @abstractmethod
    def peaks(self) -> Tensor:
        """(B,) values that are finite just where all of the example's gradient is."""
