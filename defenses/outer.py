"""Per-example gradients of a linear layer by their factors, which are all that clipping needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from defenses.implicit import Implicit


@dataclass(frozen=True)
class Outer(Implicit):
    """Example b's gradient is the outer product of ``slope[b]`` and ``inputs[b]``, apply_mask.

    Norms and weighted sums follow without forming any of the B matrices (Goodfellow 2015; with a
    mask, the norm costs one more matrix product).

    Attributes:
        slope: (B, out) gradient of each example's loss in the layer's output.
        inputs: (B, in).
        mask: (out, in), nonzero where the coordinate is kept; None keeps all.
    """

    slope: Tensor
    inputs: Tensor
    mask: Tensor | None = None

    def __len__(self) -> int:
        return len(self.slope)

    @property
    def dtype(self) -> torch.dtype:
        """See `Implicit`."""
        return self.slope.dtype

    @property
    def requires_grad(self) -> bool:
        """Whether what is made of these gradients is being differentiated."""
        return self.slope.requires_grad or self.inputs.requires_grad

    def apply_mask(self, mask: Tensor) -> Outer:
        """The same gradients on the coordinates that ``mask`` (out, in) keeps."""
        return Outer(self.slope, self.inputs, mask if self.mask is None else self.mask * mask)

    def squared_norms(self) -> Tensor:
        """(B,) float64 squared L2 norms."""
        slope, inputs = self.slope.double().square(), self.inputs.double().square()
        if self.mask is None:
            return slope.sum(1) * inputs.sum(1)
        return ((slope @ self.mask.to(slope)) * inputs).sum(1)

    def weighted_sum(self, factors: Tensor) -> Tensor:
        """(out, in) sum over the examples, each times its factor (B,)."""
        kind = torch.promote_types(self.slope.dtype, torch.float32)
        total = (self.slope * factors[:, None].to(self.slope.device, kind)).T @ self.inputs.to(kind)
        return total if self.mask is None else total * self.mask

    def dense(self) -> Tensor:
        """(B, out, in)."""
        full = torch.einsum("bo,bi->boi", self.slope, self.inputs)
        return full if self.mask is None else full * self.mask

    def select(self, keep: Tensor) -> Outer:
        """See `Implicit`."""
        return Outer(self.slope[keep], self.inputs[keep], self.mask)

    def blank(self, keep: Tensor) -> Outer:
        """See `Implicit`."""
        slope, inputs = (torch.where(keep[:, None], v, 0) for v in (self.slope, self.inputs))
        return Outer(slope, inputs, self.mask)

    def peaks(self) -> Tensor:
        """(B,) the largest magnitude of each gradient, which is finite just where all are."""
        return self.slope.abs().amax(1) * self.inputs.abs().amax(1)


Factored = Mapping[str, Tensor | Implicit]
"""`Gradients` of which some are known without being formed."""


def rows(grad: Tensor) -> Tensor:
    """(B, *shape) as (B, n), also of a parameter without axes and of an empty batch."""
    return grad.flatten(1) if grad.ndim > 1 else grad[:, None]
