"""The rules of a watched pass: what each kind of layer does, and what makes its gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from defenses.outer import Outer
from victims.gradients.convolution_rules import conv2d, standardise
from victims.gradients.geometry import pair
from victims.gradients.standardise import standardised
from victims.gradients.watch import WHOLE, Watch


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
    F.conv2d: conv2d,
    standardised: standardise,
    F.linear: _linear,
    F.group_norm: _group_norm,
    F.max_pool2d: _max_pool2d,
}
"""What each function does while it is watched; None: it does what it always does."""
