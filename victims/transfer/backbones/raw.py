"""No network at all: the pixels."""

from __future__ import annotations

from torch import Tensor, nn

from victims.transfer.backbones.backbone import Backbone


class Pixels(nn.Module):
    """Pixels less 0.5, so that two images do not point the same way for being bright."""

    def forward(self, images: Tensor) -> Tensor:
        """Args: images (B, C, H, W) in [0, 1]. Returns: (B, C * H * W) in [-0.5, 0.5]."""
        return images.flatten(1) - 0.5


def raw(image_shape: tuple[int, int, int]) -> Backbone:
    """The pixels of images of any shape."""
    return Backbone("raw", Pixels())
