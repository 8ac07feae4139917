"""How close a reconstruction is: PSNR, SSIM, LPIPS, and pairing of a batch with its guess."""

from __future__ import annotations

import math

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional as F

from reports import backbone

PSNR_CAP = 60.0
"""dB. One exact image would otherwise make every mean infinite; 60 dB is a quarter grey level."""

RANGES = {"psnr": (0.0, PSNR_CAP), "ssim": (-1.0, 1.0), "lpips": (0.0, math.inf)}
"""The least and the largest value of each score; of PSNR because images lie in [0, 1]."""

WINDOW = 7
"""Edge of SSIM's uniform window, scikit-image's default; images must be at least this large."""


def psnr(guess: Tensor, truth: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, at most `PSNR_CAP`; higher is closer.

    Args:
        guess: (B, C, H, W) in [0, 1].
        truth: the same shape and range.

    Returns:
        (B,) float64.
    """
    guess, truth = _checked(guess, truth)
    error = (guess - truth).square().flatten(1).mean(1)
    return (-10 * error.log10()).clamp(max=PSNR_CAP)


def ssim(guess: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004) in [-1, 1], averaged over channels; 1 is equal.

    Uniform 7x7 window, unbiased covariance, K1 = 0.01, K2 = 0.03, borders left out: the value
    of `skimage.metrics.structural_similarity` at its defaults.

    Args:
        guess: (B, C, H, W) in [0, 1], H and W at least 7.
        truth: the same shape and range.

    Returns:
        (B,) float64.
    """
    guess, truth = _checked(guess, truth)
    if min(guess.shape[2:]) < WINDOW:
        raise ValueError(f"SSIM needs images of at least {WINDOW}x{WINDOW} pixels")

    def local(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, WINDOW, stride=1)

    unbiased = WINDOW**2 / (WINDOW**2 - 1)
    mean_g, mean_t = local(guess), local(truth)
    var_g = unbiased * (local(guess * guess) - mean_g**2)
    var_t = unbiased * (local(truth * truth) - mean_t**2)
    cov = unbiased * (local(guess * truth) - mean_g * mean_t)
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mean_g * mean_t + c1) * (2 * cov + c2)
    return (top / ((mean_g**2 + mean_t**2 + c1) * (var_g + var_t + c2))).flatten(1).mean(1)


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
        backbone.Unavailable: the pretrained weights cannot be had, or the images are too small.
    """
    guess, truth = _checked(guess, truth)
    if min(guess.shape[2:]) < 31:
        raise backbone.Unavailable("LPIPS's AlexNet needs images of at least 31x31 pixels")
    if guess.shape[1] not in (1, 3):
        raise backbone.Unavailable(f"LPIPS needs 1 or 3 channels, not {guess.shape[1]}")
    network = backbone.network()
    shape = (-1, 3, -1, -1)
    with torch.no_grad():
        value: Tensor = network(
            guess.expand(shape).float(), truth.expand(shape).float(), normalize=True
        )
    return value.flatten().double()


def assign(guess: Tensor, truth: Tensor) -> Tensor:
    """(B,) indices that order a batch of guesses so that the summed PSNR with ``truth`` is largest.

    A release does not say which example came first, so a batch is scored after this pairing.
    """
    guess, truth = _checked(guess, truth)
    count = len(truth)
    table = torch.stack([psnr(guess, t.expand(count, *t.shape)) for t in truth])
    return torch.from_numpy(linear_sum_assignment(table.numpy(), maximize=True)[1])


def _checked(guess: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Both as float64 on the CPU, after looking at shapes and range."""
    if guess.ndim != 4 or guess.shape != truth.shape:
        shapes = f"{tuple(guess.shape)} and {tuple(truth.shape)}"
        raise ValueError(f"scores take two (B, C, H, W) tensors of one shape, not {shapes}")
    pair = guess.detach().cpu().double(), truth.detach().cpu().double()
    for images in pair:
        if images.numel() and not (images.min() >= 0 and images.max() <= 1):
            raise ValueError("scores take images in [0, 1] without NaN")
    return pair
