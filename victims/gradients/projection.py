"""The gradients of a standardised weight, from those of the rows that it is standardised to."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from victims.gradients.geometry import Geometry


@dataclass(frozen=True)
class Projection:
    """A row g of a gradient in u becomes (g - mean(g) - u <u, g>) times a scale.

    For a weight moves u = (weight - mean) / norm neither along 1 nor along u itself; of a row
    whose norm is at its floor the last term is missing.

    Attributes:
        unit: (out, fan) the rows u.
        scale: (out,) gain over norm of each row.
        free: (out,) 1 where the norm is none of the floor's, else 0.
        along: (B, out) <u, g> of each example.
    """

    unit: Tensor
    scale: Tensor
    free: Tensor
    along: Tensor

    def of(self, examples: slice | Tensor) -> Projection:
        """That of some examples."""
        return replace(self, along=self.along[examples])

    def apply(self, rows: Tensor) -> Tensor:
        """(..., out, fan) projected rows."""
        along = (rows * self.unit).sum(-1, keepdim=True) * self.free[:, None]
        apart: Tensor = rows - rows.mean(-1, keepdim=True) - along * self.unit
        return apart * self.scale[:, None]

    def less(self, x: Tensor, slope: Tensor, shape: torch.Size, geometry: Geometry) -> Tensor:
        """(B,) float64: by what the projection makes squared norms of scaled rows smaller.

        Args:
            x: (B, in, H, W), what was convolved with u.
            slope: (B, out, H', W').
            shape: of the weight (out, in, h, w).
            geometry: how the convolution walks.
        """
        ones = x.new_ones(1, 1, *shape[2:])
        patches = torch.nn.functional.conv2d(x.sum(1, keepdim=True), ones, None, *geometry)
        sums = (slope * patches).sum((2, 3)).double().square() / self.unit.shape[1]
        along = self.free.double() * self.along.double().square()
        return ((sums + along) * self.scale.double().square()).sum(1)

    def gathered(self, rows: Tensor, kept: Tensor) -> Tensor:
        """(B, len(kept)) coordinates ``kept`` of the projected rows (B, out * fan)."""
        fan = self.unit.shape[1]
        row = kept // fan
        middle = rows.unflatten(1, (-1, fan)).mean(2).index_select(1, row)
        along = (self.along * self.free).index_select(1, row)
        part = rows.index_select(1, kept).sub_(middle)
        return part.addcmul_(along, self.unit.flatten()[kept], value=-1).mul_(self.scale[row])
