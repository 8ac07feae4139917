"""Closeness as people see it: LPIPS."""

from __future__ import annotations

import torch
from torch import Tensor

from reports.scores import alexnet
from reports.scores.images import comparable


def lpips(guess: Tensor, truth: Tensor) -> Tensor:
    """Learned perceptual distance (Zhang et al. 2018), AlexNet, version 0.1; lower is closer.

    The authors' `lpips` package on torchvision's pretrained AlexNet. Grey images are shown to it
    as RGB. At 32x32 its deepest layers see a single pixel; compare within one size only.

    Args:
        guess: (B, C, H, W) in [0, 1], C of 1 or 3, H and W at least 31.
        truth: the same shape and range.

    Returns:
        (B,) float64.

    Raises:
        alexnet.Unavailable: the pretrained weights cannot be had, or the images are too small.
    """
    guess, truth = comparable(guess, truth)
    if min(guess.shape[2:]) < 31:
        raise alexnet.Unavailable("LPIPS's AlexNet needs images of at least 31x31 pixels")
    if guess.shape[1] not in (1, 3):
        raise alexnet.Unavailable(f"LPIPS needs 1 or 3 channels, not {guess.shape[1]}")
    network = alexnet.network()
    shape = (-1, 3, -1, -1)
    with torch.no_grad():
        value: Tensor = network(
            guess.expand(shape).float(), truth.expand(shape).float(), normalize=True
        )
    return value.flatten().double()
