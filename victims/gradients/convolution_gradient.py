"""Per-example weight gradients of a convolution, known by its inputs and its outputs' slopes."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor

from defenses.gradients import squared_norms
from defenses.implicit import Implicit
from victims.gradients.geometry import Geometry
from victims.gradients.grams import gram_norms
from victims.gradients.projection import Projection
from victims.gradients.ways import GRAM, WAYS, block_length, way_of


class ConvolutionGradient(Implicit):
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
        projection: makes the gradient of what is trained of that in the weight, where these differ.

    Attributes:
        way: by which norms are taken, see `victims.gradients.ways`.
    """

    def __init__(
        self,
        x: Tensor,
        slope: Tensor,
        shape: torch.Size,
        geometry: Geometry,
        mask: Tensor | None = None,
        projection: Projection | None = None,
    ) -> None:
        self.x, self.slope, self.shape = x.contiguous(), slope.contiguous(), shape
        self.geometry, self.mask, self.projection = geometry, mask, projection
        self.way = way_of(self.x, self.slope, shape, geometry, mask is not None)
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

    def apply_mask(self, mask: Tensor) -> ConvolutionGradient:
        """See `Implicit`."""
        mask = mask if self.mask is None else self.mask * mask
        return self._like(self.x, self.slope, mask, slice(None))

    def taking(self, way: str) -> ConvolutionGradient:
        """The same gradients by a way of one's choice, of `WAYS`, or `GRAM` without a mask."""
        other = self._like(self.x, self.slope, self.mask, slice(None))
        other.way = way
        return other

    def squared_norms(self) -> Tensor:
        """See `Implicit`."""
        return self._norms

    @cached_property
    def _norms(self) -> Tensor:
        if self.way == GRAM:
            return self._by_grams()
        size, whole = block_length(self.slope, self.shape), self.projection
        norms = []
        for begin in range(0, len(self), size):
            some = slice(begin, begin + size)
            rows = WAYS[self.way](self.x[some], self.slope[some], self.shape, self.geometry)
            rows = self._thinned(rows, None if whole is None else whole.of(some))
            norms.append(squared_norms({"": rows}))
            self._rows.append(rows)
        return torch.cat(norms)

    def _by_grams(self) -> Tensor:
        layer = (self.shape, self.geometry)
        if self.projection is None:
            return gram_norms(self.x, self.slope, *layer)
        scaled = self.slope * self.projection.scale[:, None, None]
        whole = gram_norms(self.x, scaled, *layer)
        less = self.projection.less(self.x, self.slope, *layer)
        return whole - less * (1 - 4 * torch.finfo(self.dtype).eps)  # rounded down

    def _thinned(self, rows: Tensor, projection: Projection | None) -> Tensor:
        """(k, kept) what the mask keeps of the rows (k, P), projected."""
        if self._kept is None:
            if projection is not None:
                rows = projection.apply(rows.unflatten(1, (self.shape[0], -1))).flatten(1)
            return rows if self.mask is None else rows * self.mask.flatten()
        if projection is None:
            return rows.index_select(1, self._kept)
        return projection.gathered(rows, self._kept)

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
            total = factors.new_zeros(self._rows[0].shape[1])
            for rows, part in parts:
                total.addmv_(rows.to(part.dtype).T, part)
        else:
            slope = self.slope * factors[:, None, None, None]
            total = self.geometry.batch_gradient(self.x, slope, self.shape)
            return self._masked(self._projected(total))
        if self._kept is not None:
            total = total.new_zeros(self.shape.numel()).index_copy_(0, self._kept, total)
        return total.reshape(self.shape)

    def dense(self) -> Tensor:
        """See `Implicit`."""
        parts = zip(self.x.split(1), self.slope.split(1), strict=True)
        full = [self.geometry.batch_gradient(*part, self.shape) for part in parts]
        formed = torch.stack(full) if full else self.slope.new_zeros(0, *self.shape)
        return self._masked(self._projected(formed))

    def select(self, keep: Tensor) -> ConvolutionGradient:
        """See `Implicit`."""
        chosen = self._like(self.x[keep], self.slope[keep], self.mask, keep)
        if "_norms" in vars(self):
            vars(chosen)["_norms"] = self._norms[keep]
            chosen._rows = [torch.cat(self._rows)[keep]] if self._rows else []
        return chosen

    def blank(self, keep: Tensor) -> ConvolutionGradient:
        """See `Implicit`."""
        there = keep[:, None, None, None]
        x, slope = (torch.where(there, v, 0) for v in (self.x, self.slope))
        whole = self._like(x, slope, self.mask, slice(None))
        if whole.projection is not None:
            along = torch.where(keep[:, None], whole.projection.along, 0)
            whole.projection = replace(whole.projection, along=along)
        if "_norms" in vars(self):
            vars(whole)["_norms"] = torch.where(keep, self._norms, 0)
            rows = torch.cat(self._rows) if self._rows else None
            whole._rows = [] if rows is None else [torch.where(keep[:, None], rows, 0)]
        return whole

    def peaks(self) -> Tensor:
        """(B,) a bound on each gradient's values, and the largest one where that is too large."""
        fed, slopes = self.x.flatten(1).abs().amax(1), self.slope.flatten(1).abs().sum(1)
        most = fed.double() * slopes.double()
        if self.projection is not None:
            most *= self.projection.scale.abs().max() * (2 + self.projection.unit.shape[1])
        for index in (~(most < torch.finfo(self.dtype).max)).nonzero()[:, 0].tolist():
            alone = self.select(torch.arange(len(self), device=most.device) == index)
            most[index] = alone.dense().abs().max()
        return most

    def _projected(self, values: Tensor) -> Tensor:
        if self.projection is None:
            return values
        rows = values.reshape(*values.shape[:-3], -1)
        return self.projection.apply(rows).reshape(values.shape)

    def _masked(self, values: Tensor) -> Tensor:
        return values if self.mask is None else values * self.mask

    def _like(
        self, x: Tensor, slope: Tensor, mask: Tensor | None, examples: slice | Tensor
    ) -> ConvolutionGradient:
        projection = None if self.projection is None else self.projection.of(examples)
        return ConvolutionGradient(x, slope, self.shape, self.geometry, mask, projection)
