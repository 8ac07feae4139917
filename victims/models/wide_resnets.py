"""Wide ResNets for DP training: GroupNorm and weight standardisation (De et al. 2022)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from victims.gradients.standardise import standardised

GROUPS = 16


class StandardisedConv(nn.Conv2d):
    """A convolution whose weight is standardised per output channel (Qiao et al. 2019)."""

    def __init__(self, channels: int, out: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(channels, out, kernel, stride, kernel // 2, bias=True)
        self.gain = nn.Parameter(torch.ones(out, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Args: x (B, channels, H, W). Returns: (B, out, H / stride, W / stride)."""
        weight = standardised(self.weight, self.gain)
        return F.conv2d(x, weight, self.bias, self.stride, self.padding)


class WideBlock(nn.Module):
    """Pre-activation block: norm, ReLU, conv, twice, around a shortcut."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(GROUPS, channels)
        self.conv1 = StandardisedConv(channels, out, 3, stride)
        self.norm2 = nn.GroupNorm(GROUPS, out)
        self.conv2 = StandardisedConv(out, out, 3)
        self.shortcut: nn.Module | None = None
        if stride != 1 or channels != out:
            self.shortcut = StandardisedConv(channels, out, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Args: x (B, channels, H, W). Returns: (B, out, H / stride, W / stride)."""
        y = F.relu(self.norm1(x))
        kept = x if self.shortcut is None else self.shortcut(y)
        y = self.conv1(y)
        out: Tensor = self.conv2(F.relu(self.norm2(y))) + kept
        return out


class GlobalMean(nn.Module):
    """Mean over the pixels; vmap has no rule for torch's adaptive pooling and loops."""

    def forward(self, x: Tensor) -> Tensor:
        """Args: x (B, channels, H, W). Returns: (B, channels)."""
        return x.mean((2, 3))


def wide_resnet(
    depth: int, width: int, image_shape: tuple[int, int, int], classes: int
) -> nn.Module:
    """WRN-``depth``-``width`` for images of about 32x32 (Zagoruyko and Komodakis 2016)."""
    channels, blocks = 16, (depth - 4) // 6
    layers: list[nn.Module] = [StandardisedConv(image_shape[0], channels)]
    for out, stride in ((16 * width, 1), (32 * width, 2), (64 * width, 2)):
        for block in range(blocks):
            layers.append(WideBlock(channels, out, stride if block == 0 else 1))
            channels = out
    head = [nn.GroupNorm(GROUPS, channels), nn.ReLU(), GlobalMean()]
    return nn.Sequential(*layers, *head, nn.Linear(channels, classes))


def wrn_16_4(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """WRN-16-4, the CIFAR model of De et al. (2022) at epsilon 1 to 8."""
    return wide_resnet(16, 4, image_shape, classes)


def wrn_40_4(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """WRN-40-4, their most accurate CIFAR-10 model."""
    return wide_resnet(40, 4, image_shape, classes)


def wrn_28_10(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """WRN-28-10, their model for fine-tuning on CIFAR-100."""
    return wide_resnet(28, 10, image_shape, classes)
