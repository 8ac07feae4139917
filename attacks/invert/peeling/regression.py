"""What the adversary's own images give at some layers, and the image that goes with a release's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.invert.matching.meter import spend

Features = Callable[[Tensor], list[Tensor]]
"""Images -> values of some layers, differentiable."""

COLUMNS = 4096
"""Values of a layer that are looked at, at most: evenly spread, and far more than images."""
RIDGE = 1e-2
"""Of the mean diagonal, when images are regressed on features."""
CHUNK = 16
"""Images at a time: larger maps fall out of the cache."""


@dataclass(frozen=True)
class OwnFeatures:
    """Own images (N, C, H, W) beside what they give, (N, at most `COLUMNS`) float32 a layer."""

    images: Tensor
    layers: tuple[Tensor, ...]

    @classmethod
    def of(cls, features: Features, images: Tensor) -> OwnFeatures:
        """Run the layers on images (N, C, H, W), N at least 1."""
        spend(len(images))
        with torch.no_grad():
            parts = [[_spread(value) for value in features(i)] for i in images.split(CHUNK)]
        return cls(images, tuple(torch.cat(layer) for layer in zip(*parts, strict=True)))

    def regressed(self, known: list[Tensor]) -> Tensor:
        """(1, C, H, W) in [0, 1], by ridge regression of images on features.

        Args:
            known: values of the same layers, (1, *shape) each.
        """
        rows, target = self._beside(known)
        middle, mean = rows.mean(0), self.images.double().mean(0)
        rows = rows - middle
        gram = (rows @ rows.T).double()
        ridge = RIDGE * gram.diagonal().mean().clamp(min=1e-300)
        eye = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
        weights = torch.linalg.solve(gram + ridge * eye, (rows @ (target - middle)).double())
        centred = self.images.double() - mean
        image: Tensor = mean + torch.einsum("n,nchw->chw", weights, centred)
        return image.clamp(0, 1)[None]

    def nearest(self, known: list[Tensor]) -> Tensor:
        """(1, C, H, W) the own image whose features are nearest."""
        rows, target = self._beside(known)
        return self.images[(rows - target).square().sum(1).argmin()][None]

    def _beside(self, known: list[Tensor]) -> tuple[Tensor, Tensor]:
        """(N, D) and (D,), every layer in units of its known values' length."""
        wanted = [_spread(value.to(self.images.device)) for value in known]
        sizes = [value.norm().clamp(min=1e-30) for value in wanted]
        rows = torch.cat([r / s for r, s in zip(self.layers, sizes, strict=True)], 1)
        return rows, torch.cat([w / s for w, s in zip(wanted, sizes, strict=True)], 1)[0]


def _spread(value: Tensor) -> Tensor:
    """(N, D) evenly spread columns of what a layer gave, float32."""
    flat = value.flatten(1)
    step = -(-flat.shape[1] // COLUMNS)
    return flat[:, ::step].float()
