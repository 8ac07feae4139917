"""Augments images into views (De et al. 2022, Section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

PAD = 4


def augment(images: Tensor, views: int, generator: torch.Generator) -> Tensor:
    """Random crops after reflecting `PAD` pixels, and for colour images random mirror images.

    Grey images are not mirrored, for digits and letters do not survive it.

    Args:
        images: (B, C, H, W).
        views: how many of each image, K.
        generator: CPU generator.

    Returns:
        (B, K, C, H, W).
    """
    count, channels, height, width = images.shape
    padded = F.pad(images, (PAD,) * 4, mode="reflect") if count else images
    total = count * views
    corner = torch.randint(2 * PAD + 1, (2, total), generator=generator).to(images.device)
    flip = torch.rand(total, generator=generator).to(images.device) < 0.5
    rows = corner[0, :, None] + torch.arange(height, device=images.device)
    columns = corner[1, :, None] + torch.arange(width, device=images.device)
    if channels == 3:
        columns = torch.where(flip[:, None], columns.flip(1), columns)
    source = torch.arange(total, device=images.device) // views
    # Advanced indices around a slice come first: (total, H, W, C).
    crops = padded[source[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return crops.permute(0, 3, 1, 2).reshape(count, views, channels, height, width)
