"""What every backbone is, and the ways in which images reach it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Backbone:
    """A frozen network that has seen no private image.

    Attributes:
        name: as the user spells it.
        module: images (B, C, H, W) in [0, 1] to features (B, ...), in eval mode.
        transform: what is done to images before, in words that change when it does.
        batch: how many images go through together.
    """

    name: str
    module: nn.Module
    transform: str = "none"
    batch: int = 256

    @torch.no_grad()
    def features(self, images: Tensor, device: str = "cpu") -> Tensor:
        """(B, d) float32 on the CPU, of images (B, C, H, W) in [0, 1]; computed on ``device``."""
        found: Tensor = self.module.to(device)(images.to(device))
        return found.flatten(1).float().cpu()


class Resized(nn.Module):
    """Colour images of one size, normalised by channel, for networks trained on ImageNet.

    Grey ones are shown in all three channels.

    Args:
        inner: the network.
        size: edge in pixels, bilinear with antialiasing.
        mean: subtracted, per channel.
        std: divided by, per channel.
        channels_last: how convolutions lie in memory; on a CPU often faster.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        inner: nn.Module,
        size: int,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        *,
        channels_last: bool = True,
    ) -> None:
        super().__init__()
        memory = torch.channels_last if channels_last else torch.contiguous_format
        self.inner = inner.to(memory_format=memory)  # type: ignore[call-overload]
        self.size, self.memory = size, memory
        self.register_buffer("mean", torch.tensor(mean)[:, None, None])
        self.register_buffer("std", torch.tensor(std)[:, None, None])

    def forward(self, images: Tensor) -> Tensor:
        """Args: images (B, 1 or 3, H, W) in [0, 1]. Returns: the network's features."""
        colour = images.expand(-1, 3, -1, -1)
        sized = F.interpolate(
            colour, size=(self.size, self.size), mode="bilinear", antialias=True
        ).clamp(0, 1)
        found: Tensor = self.inner(
            ((sized - self.mean) / self.std).contiguous(memory_format=self.memory)
        )
        return found
