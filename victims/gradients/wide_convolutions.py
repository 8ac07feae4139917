"""Per-example weight gradients of convolutions, faster than what vmap makes of them.

vmap computes the weight gradients of B examples as one convolution of B groups, which costs
several times the batch's own gradient where many channels meet few pixels. There the patches
are smaller than the gradient, and one matrix product per example, slopes times patches
(Chellapilla et al. 2006), does the same sums. On a GPU it always does. A mode rather than a layer,
so that it serves any model that calls ``conv2d``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.grad import conv2d_input
from torch.overrides import TorchFunctionMode

from victims.gradients.geometry import Geometry, pair

CHANNELS_PER_PIXEL = 2
"""From so many output channels per output pixel on, patches are the faster way on a CPU."""


class WideConvolutions(TorchFunctionMode):
    """While it is on, ``conv2d`` takes the weight gradient by patches where that pays."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func is F.conv2d:
            return _conv2d(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: str | int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """See `torch.nn.functional.conv2d`, whose arguments and results these are."""
    if not isinstance(padding, str) and input.ndim == 4:
        geometry = Geometry(pair(stride), pair(padding), pair(dilation), groups)
        wide = CHANNELS_PER_PIXEL * geometry.positions(input, weight) <= len(weight)
        if wide or input.device.type != "cpu":
            y: Tensor = _ByPatches.apply(input, weight, bias, geometry)
            return y
    return F.conv2d(input, weight, bias, stride, padding, dilation, groups)


class _ByPatches(torch.autograd.Function):
    """``conv2d`` whose weight gradient is `Geometry.weight_slope`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
        return F.conv2d(x, weight, bias, *geometry)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, weight, _, ctx.geometry = inputs
        ctx.save_for_backward(x, weight)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        by_x, by_weight, by_bias, _ = ctx.needs_input_grad
        return (
            conv2d_input(x.shape, weight, slope, *ctx.geometry) if by_x else None,
            ctx.geometry.weight_slope(x, slope, weight.shape) if by_weight else None,
            slope.sum((0, 2, 3)) if by_bias else None,
            None,
        )
