"""What every score asks of its images."""

from __future__ import annotations

from torch import Tensor


def comparable(guess: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Both as float64 on the CPU, after looking at shapes and range."""
    if guess.ndim != 4 or guess.shape != truth.shape:
        shapes = f"{tuple(guess.shape)} and {tuple(truth.shape)}"
        raise ValueError(f"scores take two (B, C, H, W) tensors of one shape, not {shapes}")
    pair = guess.detach().cpu().double(), truth.detach().cpu().double()
    for images in pair:
        if images.numel() and not (images.min() >= 0 and images.max() <= 1):
            raise ValueError("scores take images in [0, 1] without NaN")
    return pair
