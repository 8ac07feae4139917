"""What an adversary believes about images before it sees a release."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

SMALLEST_STD = 2e-3
"""Half a grey level: no coefficient of the spectral prior is believed to be known better."""


def total_variation(images: Tensor) -> Tensor:
    """Scalar mean length of the colour gradient, smoothed near 0.

    Channels are coupled (Bresson and Chan 2008), and for colour images the two opponent axes
    weigh three times as much as brightness, because edges in photographs are mostly grey.
    """
    if images.shape[1] == 3:
        axes = images.new_tensor([[1.0, 1.0, 1.0], [1.0, -1.0, 0.0], [1.0, 1.0, -2.0]])
        axes = axes / axes.norm(dim=1, keepdim=True) * images.new_tensor([[1.0], [3.0], [3.0]])
        images = torch.einsum("oc,bchw->bohw", axes, images)
    padded = F.pad(images, (0, 1, 0, 1), mode="replicate")
    across = padded[..., :-1, 1:] - images
    down = padded[..., 1:, :-1] - images
    return ((across.square() + down.square()).sum(1) + 1e-6).sqrt().mean()


def cosine_basis(n: int) -> Tensor:
    """(n, n) orthonormal DCT-II matrix, one frequency per row, float64."""
    k = torch.arange(n, dtype=torch.float64)
    basis = torch.cos(math.pi / n * (k[None] + 0.5) * k[:, None]) * math.sqrt(2 / n)
    basis[0] /= math.sqrt(2)
    return basis


@dataclass(frozen=True)
class SpectralPrior:
    """Gaussian image prior N(mean, S^2), diagonal in colour axes and spatial frequency.

    Natural images have a power spectrum that falls with frequency and few colour axes (Field
    1987); both are measured on the adversary's auxiliary images. Its whitened coordinates are
    also what L-BFGS should search in: they are conditioned far better than pixels.

    Attributes:
        mean: (C, H, W), the auxiliary images' mean.
        axes: (C, C), orthonormal colour axes, one per row.
        std: (C, H, W), standard deviation per axis, vertical and horizontal frequency.
        rows: (H, H) DCT matrix; columns: (W, W) DCT matrix.
    """

    mean: Tensor
    axes: Tensor
    std: Tensor
    rows: Tensor
    columns: Tensor

    @classmethod
    def fit(cls, images: Tensor) -> SpectralPrior:
        """Measure the prior on (N, C, H, W) images in [0, 1]; float64 on their device."""
        channels, height, width = images.shape[1:]
        centred = images.double()
        mean = centred.mean(0)
        centred = centred - mean
        flat = centred.transpose(0, 1).reshape(channels, -1)
        axes = torch.linalg.eigh(flat @ flat.T / flat.shape[1]).eigenvectors.T.contiguous()
        del flat  # of thousands of images each of these tensors fills hundreds of MiB
        rows = cosine_basis(height).to(images.device)
        columns = cosine_basis(width).to(images.device)
        turned = torch.einsum("oc,bchw->bohw", axes, centred)
        del centred
        turned = rows @ turned
        power = (turned @ columns.T).square_().mean(0)
        # Average over rings of equal frequency: hundreds of images, thousands of coefficients.
        down = torch.arange(height, device=images.device)[:, None] / height
        right = torch.arange(width, device=images.device)[None] / width
        ring = (32 * (down.square() + right.square()).sqrt()).round().long().flatten()
        total = power.new_zeros(channels, int(ring.max()) + 1)
        total.index_add_(1, ring, power.reshape(channels, -1))
        smooth = (total / torch.bincount(ring).clamp(min=1))[:, ring].reshape(power.shape)
        return cls(mean, axes, smooth.sqrt().clamp(min=SMALLEST_STD), rows, columns)

    def decode(self, code: Tensor) -> Tensor:
        """Whitened (B, C, H, W) coefficients -> images; N(0, I) becomes the prior."""
        turned = self.rows.T @ (code * self.std) @ self.columns
        return self.mean + torch.einsum("oc,bohw->bchw", self.axes, turned)

    def encode(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) -> whitened coefficients, the inverse of `decode`."""
        centred = images.to(self.mean) - self.mean
        turned = torch.einsum("oc,bchw->bohw", self.axes, centred)
        return self.rows @ turned @ self.columns.T / self.std

    def energy(self, images: Tensor) -> Tensor:
        """Scalar -log p(images) up to a constant, summed over the batch."""
        return self.encode(images).square().sum() / 2
