"""The covariance of whole images: what is likely of one, before any release."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.invert.matching.image_prior import SMALLEST_STD, SpectralPrior

MIRRORED = 3
"""The axis along which an image may be mirrored and is as likely."""
DIRECTIONS = 1024
"""At most so many directions vary: those of the colour axes and frequencies with the most power. In
the others a 32x32 photograph has a hundredth of its variance."""
SPECTRUM = 250
"""The spectrum counts as so many images: it stands for what few images cannot show."""


@dataclass(frozen=True)
class Population:
    """Gaussian image prior N(mean, U diag(std^2) U^T) with the full covariance of many images.

    Unlike `SpectralPrior` it knows where in the picture something is usual; of few images it knows
    no more than that one. Every image counts with its mirror image.

    Attributes:
        shape: (C, H, W).
        mean: (Q,) float64.
        axes: (Q, K) orthonormal, one direction a column, that of the greatest variance first.
        std: (K,), at least `SMALLEST_STD`.
    """

    shape: tuple[int, ...]
    mean: Tensor
    axes: Tensor
    std: Tensor

    @classmethod
    def fit(cls, images: Tensor) -> Population:
        """Measure the prior on (N, C, H, W) images in [0, 1]; float64 on their device."""
        both = torch.cat([images, images.flip(MIRRORED)])
        spectral = SpectralPrior.fit(both)
        power = spectral.std.flatten()
        strong = power.argsort(descending=True, stable=True)[:DIRECTIONS]
        units = torch.zeros(len(strong), len(power), dtype=power.dtype, device=power.device)
        units.scatter_(1, strong[:, None], (1 / power[strong])[:, None])
        basis = (spectral.decode(units.unflatten(1, images.shape[1:])) - spectral.mean).flatten(1)
        centred = (both - spectral.mean.float()).flatten(1) @ basis.T.float()
        share = len(images) / (len(images) + SPECTRUM)
        covariance = share * (centred.T @ centred).double() / len(both)
        covariance.diagonal().add_((1 - share) * power[strong].square())
        variances, turned = torch.linalg.eigh(covariance)
        std = variances.flip(0).clamp(min=0).sqrt().clamp(min=SMALLEST_STD)
        axes = basis.T @ turned.flip(1)
        return cls(tuple(images.shape[1:]), spectral.mean.flatten(), axes, std)

    def decode(self, code: Tensor) -> Tensor:
        """Whitened (B, K) coefficients -> images (B, C, H, W); N(0, I) becomes the prior."""
        pixels = self.mean + (code * self.std) @ self.axes.T
        return pixels.reshape(len(code), *self.shape)

    def encode(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) -> the nearest whitened (B, K) coefficients."""
        return (images.to(self.mean).flatten(1) - self.mean) @ self.axes / self.std
