"""The scattering transform, by passes that can be vmapped and differentiated twice."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

ANGLES = 8
PATHS = 1 + 2 * ANGLES + ANGLES**2
"""81 outputs per channel: a mean, two scales of 8 angles, and 8 angles of 8 angles."""

SMALLEST = 8
CHUNK = 16


class Scattering(nn.Module):
    """The scattering transform of two scales and order two (Oyallon and Mallat 2015).

    Means over about 4x4 pixels of the image, of its wavelet moduli, and of their wavelet moduli:
    no parameters. Filters and conventions (Morlet, 8 angles, reflected borders) are those of
    kymatio's ``Scattering2D(J=2, L=8)``. The passes over them are written here: kymatio's cannot
    be vmapped, their second derivative at a black image is NaN, and they are slower.

    Args:
        height: the images' height in pixels, at least 8.
        width: the images' width in pixels, at least 8.

    Raises:
        ValueError: images that are too small.
    """

    fine: Tensor
    coarse: Tensor
    down: Tensor
    across: Tensor
    down_half: Tensor
    across_half: Tensor

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        if min(height, width) < SMALLEST:
            raise ValueError(f"images must be at least {SMALLEST}x{SMALLEST} for scattering")
        bank = scattering2d()(2, (height, width))
        fine, coarse = ([w["levels"][0] for w in bank.psi if w["j"] == j] for j in (0, 1))
        whole, half = map(torch.from_numpy, bank.phi["levels"])
        constants = {
            "fine": torch.from_numpy(np.stack(fine)),
            "coarse": torch.stack(_quarters(torch.from_numpy(np.stack(coarse)) / 4)),
            # The low-pass is Gaussian, so rows and columns separate into two small matrices.
            "down": _means(whole[:, 0] / whole[0, 0], 4),
            "across": _means(whole[0], 4),
            "down_half": _means(half[:, 0] / half[0, 0], 2),
            "across_half": _means(half[0], 2),
        }
        for name, values in constants.items():
            # Not saved with the weights: the images' shape says what they are.
            self.register_buffer(name, values, persistent=False)
        spare = [whole.shape[0] - height, whole.shape[1] - width]
        rows, columns = ((part // 2, part - part // 2) for part in spare)
        self.border = (*columns, *rows)

    def forward(self, images: Tensor) -> Tensor:
        """Scatter each channel of each image.

        Args:
            images: (B, C, H, W) in [0, 1], or normalised.

        Returns:
            (B, C * 81, H // 4, W // 4): channel by channel the mean, the two scales' 8 angles
            (radians (3 - i) * pi / 8), then 8 coarse angles for each fine one.
        """
        if not len(images):  # a Poisson batch may be of none, which some FFT libraries refuse
            return images.new_zeros(0, images.shape[1] * PATHS, len(self.down), len(self.across))
        # Many images at once would leave a CPU's cache: two to four times as slow.
        chunk = CHUNK if images.device.type == "cpu" else max(1, len(images))
        return torch.cat([self._scatter(part) for part in images.split(chunk)])

    def _scatter(self, images: Tensor) -> Tensor:
        padded = F.pad(images, self.border, mode="reflect")[:, :, None]
        spectrum = torch.fft.fft2(padded)
        first = torch.fft.ifft2(spectrum * self.fine).abs()
        inputs = torch.cat([spectrum, torch.fft.fft2(first)], dim=2)
        # Every other pixel of what a filter leaves: the quarters of its spectrum, averaged.
        quarters = zip(_quarters(inputs[:, :, :, None]), self.coarse, strict=True)
        folded = functools.reduce(torch.add, (a * b for a, b in quarters))
        second = torch.fft.ifft2(folded).abs().flatten(2, 3)
        means = self.down @ torch.cat([padded, first], dim=2) @ self.across.T
        means_half = self.down_half @ second @ self.across_half.T
        return torch.cat([means, means_half], dim=2).flatten(1, 2)


def _quarters(spectrum: Tensor) -> list[Tensor]:
    """(..., P, Q) -> four (..., P / 2, Q / 2), the corners."""
    return [part for half in spectrum.chunk(2, -2) for part in half.chunk(2, -1)]


def _means(response: Tensor, step: int) -> Tensor:
    """(P,) -> (P / step - 2, P): a filter around one pixel in ``step``, but for the outermost."""
    kernel: Tensor = torch.fft.ifft(response).real
    centres = torch.arange(step, len(response) - step, step)
    return kernel[(centres[:, None] - torch.arange(len(response))) % len(response)]


def scattering2d() -> Any:
    """kymatio's ``Scattering2D`` for torch, imported when first asked for.

    kymatio 0.3.0 imports a function that SciPy 1.17 has no more, for spherical harmonics that are
    not used here. SciPy has it while kymatio is imported, and is then left as it was.
    """
    import scipy.special

    missing = not hasattr(scipy.special, "sph_harm")
    if missing:
        renamed = scipy.special.sph_harm_y  # degree before order, polar before azimuthal angle
        scipy.special.sph_harm = lambda m, n, theta, phi: renamed(n, m, phi, theta)
    try:
        from kymatio.torch import Scattering2D
    finally:
        if missing:
            del scipy.special.sph_harm
    return Scattering2D
