"""Closeness of pixels: PSNR and SSIM."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from reports.scores.images import comparable

PSNR_CAP = 60.0
"""dB. One exact image would otherwise make every mean infinite; 60 dB is a quarter grey level."""

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
    guess, truth = comparable(guess, truth)
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
    guess, truth = comparable(guess, truth)
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
