"""Per-example weight gradients of a convolution, known by its inputs and its outputs' slopes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import torch
from torch import Tensor

from defenses.gradients import squared_norms
from defenses.implicit import Implicit
from victims.gradients.convolution import Geometry
from victims.gradients.grams import gram_norms
from victims.gradients.ways import GRAM, WAYS, block_length, way_of


class Convolved(Implicit):
    """Example b's gradient is that of the weight between ``x[b]`` and the slopes ``slope[b]``.

    What is summed is what was measured. Where rows of the gradient are formed, a few examples at a
    time so that they stay in the cache, the norm is of the very row that `weighted_sum` takes,
    times a factor. Where they are not (`gram_norms`), the sum is one weight gradient of the whole
    chunk at slopes times factors, and linear in them; it rounds by the size of the products that a
    gradient is made of, however they cancel, and the norm is stated that much larger. An example's
    norm is made of its own inputs and slopes alone: no other example, nor a NaN in it, moves it.

    Args:
        x: (B, in, H, W), what was convolved.
        slope: (B, out, H', W') gradient of each example's own loss in the convolution's output.
        shape: of the weight (out, in / groups, h, w).
        geometry: how the convolution walks.
        mask: of the weight's shape, True where the coordinate is kept; None keeps all.
    """

    def __init__(
        self,
        x: Tensor,
        slope: Tensor,
        shape: torch.Size,
        geometry: Geometry,
        mask: Tensor | None = None,
    ) -> None:
        self.x, self.slope, self.shape = x.contiguous(), slope.contiguous(), shape
        self.geometry, self.mask = geometry, mask
        self._rows: list[Tensor] = []  # of the kept coordinates, once `squared_norms` formed them

    @property
    def dtype(self) -> torch.dtype:
        """See `Implicit`."""
        return self.slope.dtype

    @property
    def requires_grad(self) -> bool:
        """False: nobody differentiates what a training step sums."""
        return False

    def __len__(self) -> int:
        return len(self.slope)

    def apply_mask(self, mask: Tensor) -> Convolved:
        """See `Implicit`."""
        return self._like(self.x, self.slope, mask if self.mask is None else self.mask * mask)

    def squared_norms(self) -> Tensor:
        """See `Implicit`."""
        return self._norms

    @cached_property
    def _norms(self) -> Tensor:
        way = way_of(self.x, self.slope, self.shape, self.geometry, self.mask is not None)
        if way == GRAM:
            return gram_norms(self.x, self.slope, self.shape, self.geometry)
        self._rows = list(self._formed(way))
        return torch.cat([squared_norms({"": rows}) for rows in self._rows])

    def _formed(self, way: str) -> Iterator[Tensor]:
        """The rows (k, kept) of a few examples at a time."""
        size = block_length(self.slope, self.shape)
        for x, slope in zip(self.x.split(size), self.slope.split(size), strict=True):
            rows = WAYS[way](x, slope, self.shape, self.geometry)
            if self._kept is not None:
                rows = rows.index_select(1, self._kept)
            yield (
                rows if self.mask is None or self._kept is not None else rows * self.mask.flatten()
            )

    @cached_property
    def _kept(self) -> Tensor | None:
        """Indices of the kept coordinates; None: all are, or a GPU would have to be waited for."""
        if self.mask is None or self.mask.device.type != "cpu":
            return None
        return self.mask.flatten().nonzero()[:, 0]

    def weighted_sum(self, factors: Tensor) -> Tensor:
        """See `Implicit`."""
        factors = factors.to(self.slope.device, torch.promote_types(self.dtype, torch.float32))
        if self._rows:
            sizes = [len(rows) for rows in self._rows]
            parts = zip(self._rows, factors.split(sizes), strict=True)
            total = torch.stack([part @ rows for rows, part in parts]).sum(0)
        else:
            slope = self.slope * factors[:, None, None, None]
            total = self.geometry.batch_gradient(self.x, slope, self.shape).flatten()
            return self._masked(total.reshape(self.shape))
        if self._kept is not None:
            total = total.new_zeros(self.shape.numel()).index_copy_(0, self._kept, total)
        return total.reshape(self.shape)

    def dense(self) -> Tensor:
        """See `Implicit`."""
        parts = zip(self.x.split(1), self.slope.split(1), strict=True)
        full = [self.geometry.batch_gradient(*part, self.shape) for part in parts]
        formed = torch.stack(full) if full else self.slope.new_zeros(0, *self.shape)
        return self._masked(formed)

    def select(self, keep: Tensor) -> Convolved:
        """See `Implicit`."""
        chosen = self._like(self.x[keep], self.slope[keep], self.mask)
        if "_norms" in vars(self):
            vars(chosen)["_norms"] = self._norms[keep]
            chosen._rows = [torch.cat(self._rows)[keep]] if self._rows else []
        return chosen

    def blank(self, keep: Tensor) -> Convolved:
        """See `Implicit`."""
        there = keep[:, None, None, None]
        x, slope = (torch.where(there, v, 0) for v in (self.x, self.slope))
        whole = self._like(x, slope, self.mask)
        if "_norms" in vars(self):
            vars(whole)["_norms"] = torch.where(keep, self._norms, 0)
            rows = torch.cat(self._rows) if self._rows else None
            whole._rows = [] if rows is None else [torch.where(keep[:, None], rows, 0)]
        return whole

    def peaks(self) -> Tensor:
        """(B,) a bound on each gradient's values, and the largest one where that is too large."""
        most = (
            self.x.flatten(1).abs().amax(1).double() * self.slope.flatten(1).abs().sum(1).double()
        )
        for index in (~(most < torch.finfo(self.dtype).max)).nonzero()[:, 0].tolist():
            keep = torch.zeros_like(most, dtype=torch.bool)
            keep[index] = True
            most[index] = self._like(self.x[keep], self.slope[keep], self.mask).dense().abs().max()
        return most

    def _masked(self, values: Tensor) -> Tensor:
        return values if self.mask is None else values * self.mask

    def _like(self, x: Tensor, slope: Tensor, mask: Tensor | None) -> Convolved:
        return Convolved(x, slope, self.shape, self.geometry, mask)
