"""Which place of its input each tap of a convolution sees."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

Pair = tuple[int, int]


@dataclass(frozen=True)
class Geometry:
    """A convolution's shape, apart from its channels.

    Attributes:
        size: (H, W) of the input.
        kernel: (rows, columns).
        stride: (rows, columns) from one output to the next.
        padding: zeros on each side.
        dilation: places between taps.
    """

    size: Pair
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)

    @property
    def output(self) -> Pair:
        """(h, w) of the output."""
        parts = zip(self.size, self.kernel, self.stride, self.padding, self.dilation, strict=True)
        rows, columns = ((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in parts)
        return rows, columns

    @property
    def places(self) -> int:
        """H * W, places of an input channel."""
        return self.size[0] * self.size[1]

    @property
    def taps(self) -> int:
        """Entries of the kernel."""
        return self.kernel[0] * self.kernel[1]

    def seen(self, device: torch.device | None = None) -> Tensor:
        """(Q, taps) the place that each tap sees at each output; H * W where it is padding."""
        numbers = torch.arange(1, self.places + 1, dtype=torch.float64).reshape(1, 1, *self.size)
        found = self.unfold(numbers)[0].long() - 1
        return torch.where(found < 0, self.places, found).to(device)

    def unfold(self, images: Tensor) -> Tensor:
        """(B, I, H, W) -> (B, Q, I * taps): one row per output, the patch that it sees."""
        patches = F.unfold(
            images,
            self.kernel,
            dilation=self.dilation,
            padding=self.padding,
            stride=self.stride,
        )
        return patches.transpose(1, 2)

    def fold(self, patches: Tensor) -> Tensor:
        """(B, Q, I * taps) -> (B, I, H, W): the transpose of `unfold`."""
        return F.fold(
            patches.transpose(1, 2),
            self.size,
            self.kernel,
            dilation=self.dilation,
            padding=self.padding,
            stride=self.stride,
        )

    def system(self, slope: Tensor) -> Tensor:
        """What a weight gradient says of one input channel, whichever it is.

        dW[o, i, t] = sum_bq dz[b, o, q] x[b, i, seen(q, t)] (Zhu and Blaschko 2021, R-GAP): the
        matrix is small, dense, and the same for every input channel.

        Args:
            slope: (B, O, h, w), of the loss at the output.

        Returns:
            (O * taps, B * H * W), rows ordered as (o, t), columns as (b, place).
        """
        batch, channels = slope.shape[:2]
        flat = slope.flatten(2)
        seen = self.seen(slope.device)
        matrix = slope.new_zeros(batch, channels, self.taps, self.places + 1)
        for tap in range(self.taps):
            matrix[:, :, tap].index_add_(2, seen[:, tap], flat)
        return matrix[..., :-1].permute(1, 2, 0, 3).reshape(channels * self.taps, -1)
