"""Per-example weight gradients of convolutions, faster than what vmap makes of them.

vmap computes the weight gradients of B examples as one convolution of B groups, which costs
several times the batch's own gradient where many channels meet few pixels. There the patches
are smaller than the gradient, and one matrix product per example, slopes times patches
(Chellapilla et al. 2006), does the same sums. On a GPU it always does. A mode rather than a layer,
so that it serves any model that calls ``conv2d``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.grad import conv2d_input
from torch.overrides import TorchFunctionMode

Pair = tuple[int, int]
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


def pair(value: int | Sequence[int]) -> Pair:
    """An option of a convolution or a pooling along both axes."""
    return (value, value) if isinstance(value, int) else (value[0], value[-1])


class Geometry(NamedTuple):
    """How a convolution walks, in the order of ``conv2d``'s arguments."""

    stride: Pair
    padding: Pair
    dilation: Pair
    groups: int

    def positions(self, x: Tensor, weight: Tensor) -> int:
        """Pixels of one output channel."""
        count = 1
        for axis in (0, 1):
            reach = self.dilation[axis] * (weight.shape[2 + axis] - 1)
            span = x.shape[2 + axis] + 2 * self.padding[axis] - reach - 1
            count *= span // self.stride[axis] + 1
        return count

    def batch_gradient(self, x: Tensor, slope: Tensor, shape: torch.Size) -> Tensor:
        """`weight_slope` by the library's own rule, which sums over the K examples as it goes."""
        weight = slope.new_empty(shape)  # its numbers are not asked for
        walk = [list(pair) for pair in self[:3]]
        grads = torch.ops.aten.convolution_backward(
            slope, x, weight, None, *walk, False, [0, 0], self.groups, [False, True, False]
        )
        found: Tensor = grads[1]
        return found

    def weight_slope(self, x: Tensor, slope: Tensor, shape: torch.Size) -> Tensor:
        """Gradient (out, in / groups, h, w) of the weight from those (K, out, H', W') of outputs.

        Args:
            x: (K, in, H, W), what was convolved.
            slope: (K, out, H', W').
            shape: the weight's shape.
        """
        patches = self.patches(x, shape)
        rows = patches.unflatten(1, (self.groups, -1)).permute(1, 0, 3, 2).flatten(1, 2)
        slopes = slope.flatten(2).unflatten(1, (self.groups, -1)).permute(1, 2, 0, 3).flatten(2)
        grad: Tensor = slopes @ rows  # (groups, out / groups, K H' W') @ (.., K H' W', fan)
        return grad.reshape(shape)

    def patches(self, x: Tensor, shape: torch.Size) -> Tensor:
        """(K, in h w, H' W') of what was convolved, as `torch.nn.functional.unfold`."""
        # One copy of a view, where torch's own would go example by example.
        across, down = self.padding[1], self.padding[0]
        windows = F.pad(x, (across, across, down, down))
        for axis in (0, 1):
            reach = self.dilation[axis] * (shape[2 + axis] - 1) + 1
            windows = windows.unfold(2 + axis, reach, self.stride[axis])
        windows = windows[..., :: self.dilation[0], :: self.dilation[1]]
        return windows.permute(0, 1, 4, 5, 2, 3).flatten(4).flatten(1, 3)


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
