"""How a convolution walks over its input, and the weight gradients that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

Pair = tuple[int, int]


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
