"""What each kind of layer does while it is watched: what makes its per-example gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from defenses.implicit import Implicit
from defenses.outer import Outer
from victims.gradients.convolution import Geometry, pair
from victims.gradients.convolved import Convolved
from victims.gradients.projection import Projection
from victims.gradients.standardise import standardised, unit_rows
from victims.gradients.watch import WHOLE, Watch


def _conv2d(
    watch: Watch,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: str | int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor | None:
    """See `torch.nn.functional.conv2d`."""
    if isinstance(padding, str) or input.ndim != 4:
        return None
    geometry = Geometry(pair(stride), pair(padding), pair(dilation), groups)
    if id(weight) in watch.standard:
        return _standardised_conv2d(watch, input, weight, bias, geometry)
    names = watch.named(input, weight, bias)
    if names is None:
        return None
    constant = None if bias is None else bias.detach()
    y = F.conv2d(input, weight.detach(), constant, *geometry)

    def note(x: Tensor, slope: Tensor) -> dict[str | None, Tensor | Implicit]:
        found: dict[str | None, Tensor | Implicit] = {}
        if names[0] is not None:
            found[names[0]] = Convolved(x, slope, weight.shape, geometry)
        if names[1] is not None:
            found[names[1]] = slope.sum((2, 3))
        return found

    return watch.tap(input, y, note)


def _standardised(watch: Watch, weight: Tensor, gain: Tensor) -> Tensor:
    """See `victims.gradients.standardise.standardised`; the rows remember what they are made of."""
    rows = standardised(weight, gain)
    watch.standard[id(rows)] = (weight, gain, rows)  # with itself, that no other gets its id
    return rows


def _standardised_conv2d(
    watch: Watch, input: Tensor, rows: Tensor, bias: Tensor | None, geometry: Geometry
) -> Tensor | None:
    """See `torch.nn.functional.conv2d`, of a weight that `_standardised` made.

    With rows u of unit norm, y = bias + gain conv(x, u): the gradient in the gain is that of a
    factor, <slope, conv(x, u)>, which is what a gradient in the weight has along u.
    """
    weight, gain, _ = watch.standard[id(rows)]
    names = watch.named(input, weight, gain, bias) if geometry.groups == 1 else None
    if names is None or None in names[:2]:
        return None
    unit, scale, free = (part.detach() for part in unit_rows(weight.detach()))
    plain = F.conv2d(input, unit, None, *geometry)
    sizes = gain.detach().reshape(-1, 1, 1)
    shift = plain.new_zeros(()) if bias is None else bias.detach().reshape(-1, 1, 1)
    y = torch.addcmul(shift, plain, sizes)
    kept = plain.detach()

    def note(x: Tensor, slope: Tensor) -> dict[str | None, Tensor | Implicit]:
        along = (slope * kept).sum((2, 3))
        by_row = scale.flatten() * gain.detach().flatten()
        projection = Projection(unit.flatten(1), by_row, free.flatten().to(by_row), along)
        found: dict[str | None, Tensor | Implicit] = {}
        found[names[0]] = Convolved(x, slope, weight.shape, geometry, None, projection)
        found[names[1]] = along.reshape(len(x), *gain.shape)
        if names[2] is not None:
            found[names[2]] = slope.sum((2, 3))
        return found

    return watch.tap(input, y, note)


def _linear(
    watch: Watch, input: Tensor, weight: Tensor, bias: Tensor | None = None
) -> Tensor | None:
    """See `torch.nn.functional.linear`; of one row per example."""
    names = watch.named(input, weight, bias) if input.ndim == 2 else None
    if names is None:
        return None
    y = F.linear(input, weight.detach(), None if bias is None else bias.detach())
    return watch.tap(input, y, lambda x, slope: {names[0]: Outer(slope, x), names[1]: slope})


def _group_norm(
    watch: Watch,
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor | None:
    """See `torch.nn.functional.group_norm`; the batch is one example of B times the channels."""
    names = watch.named(input, weight, bias)
    if names is None:
        return None
    together = input.reshape(1, -1, *input.shape[2:])
    given = [watch.copies(w, n) for w, n in zip((weight, bias), names, strict=True)]
    y = F.group_norm(together, len(input) * num_groups, given[0], given[1], eps)
    return y.reshape(input.shape)


class _Pool(torch.autograd.Function):
    """``max_pool2d`` with a pixel's channels side by side, at which torch is far faster."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, walk: tuple[Any, ...]) -> Tensor:
        beside = x.contiguous(memory_format=torch.channels_last)
        y, places = torch.ops.aten.max_pool2d_with_indices(beside, *walk)
        ctx.save_for_backward(x, places.contiguous())
        ctx.walk = walk
        pooled: Tensor = y.contiguous()
        return pooled

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        x, places = ctx.saved_tensors
        back = torch.ops.aten.max_pool2d_with_indices_backward
        passed: Tensor = back(slope.contiguous(), x, *ctx.walk, places)
        return passed, None


def _max_pool2d(
    watch: Watch,
    input: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | None:
    """See `torch.nn.functional.max_pool2d`; it has no weight, and is merely faster on a CPU."""
    known = input.device.type == "cpu" and input.dtype in WHOLE and input.ndim == 4
    if not known or return_indices or not input.is_contiguous():
        return None
    step = kernel_size if stride is None else stride
    walk = (list(pair(v)) for v in (kernel_size, step, padding, dilation))
    pooled: Tensor = _Pool.apply(input, (*walk, ceil_mode))
    return pooled


RULES: dict[Callable[..., Any], Callable[..., Tensor | None]] = {
    F.conv2d: _conv2d,
    standardised: _standardised,
    F.linear: _linear,
    F.group_norm: _group_norm,
    F.max_pool2d: _max_pool2d,
}
"""What each function does while it is watched; None: it does what it always does."""
