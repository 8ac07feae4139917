"""A layer in front of a model that writes single images of a batch into the batch's gradient."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

SCALE = 1e-4
"""Of the measured brightness: so little moves what the model computes, while the gradients of the
rows do not depend on it and outweigh those of the honest layers under clipping."""


class ImprintBlock(nn.Module):
    """Rows that all measure an image's brightness, each with a threshold of its own (Fowl 2022).

    What every row passes on is added to all pixels alike, so that all rows above whose threshold
    an image lies have the same slope for it: the gradient of row i is the sum of slope times image
    over the images brighter than threshold i.

    Args:
        image_shape: (C, H, W).
        thresholds: (K,) of the mean over pixels, ascending.
    """

    def __init__(self, image_shape: tuple[int, int, int], thresholds: Tensor) -> None:
        super().__init__()
        pixels = image_shape[0] * image_shape[1] * image_shape[2]
        self.rows = nn.Linear(pixels, len(thresholds))
        with torch.no_grad():
            self.rows.weight.fill_(SCALE / pixels)
            self.rows.bias.copy_(-SCALE * thresholds)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W), a little brighter."""
        passed = torch.relu(self.rows(images.flatten(1))).sum(1)
        return images + passed[:, None, None, None]


def plant(model: nn.Module, images: Tensor, bins: int) -> nn.Module:
    """The model behind an `ImprintBlock`, whose bins are equally likely for images like these.

    Args:
        model: logits from images; part of the result.
        images: (N, C, H, W) in [0, 1], the server's own.
        bins: K, the number of thresholds.
    """
    share = (torch.arange(bins, dtype=torch.float64) + 0.5) / bins
    thresholds = images.double().flatten(1).mean(1).quantile(share.to(images.device)).float()
    channels, height, width = images.shape[1:]
    block = ImprintBlock((channels, height, width), thresholds)
    like = next(model.parameters())
    block = block.to(like).train(model.training)
    planted = nn.Sequential(OrderedDict(imprint=block, model=model))
    planted.training = model.training  # modules inside keep the modes that they have
    return planted
