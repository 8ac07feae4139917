"""Stochastic quantisation (QSGD; Alistarh et al. 2017, NeurIPS, arXiv 1610.02132)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from defenses.bases.compression import Compression, coded_bytes
from defenses.contract import Release, registry
from defenses.options import option


@registry.register("quantize")
@dataclass(frozen=True)
class Quantize(Compression):
    """Round every coordinate of the mean gradient up or down at random, so that it is unbiased.

    A sign and ``2^(bits - 1)`` levels of equal distance from 0 to the largest magnitude of the
    tensor, which travels along (scaling by the maximum, as in their experiments, rather than by
    the norm). A magnitude between two levels goes to the upper one with the probability that
    makes its mean right.

    Guarantee: none; the rounding is random but not calibrated to anything, and the support
    depends on the data. Known attack: straight through it. Unbiased rounding is noise, of a size
    that the levels in the release tell: match the gradient itself with a likelihood of that
    noise and an image prior (Balunovic et al. 2022).
    """

    bits: int = option(4, "bits per coordinate, the sign included", low=2, high=16)

    @property
    def levels(self) -> int:
        """Number s >= 1 of levels above 0, ``2^(bits - 1) - 1``."""
        return int(2 ** (self.bits - 1) - 1)

    def compress(
        self, mean: Mapping[str, Tensor], plan: Mapping[str, Any], generator: torch.Generator
    ) -> tuple[dict[str, Tensor], int]:
        """Rounded coordinates; the wire also carries one float per tensor."""
        update = {}
        for name, value in mean.items():
            top = value.abs().amax().clamp(min=torch.finfo(value.dtype).tiny)
            place = value.abs() / top * self.levels
            below = place.floor()
            draw = torch.rand(value.shape, generator=generator).to(value.device)
            level = below + (draw < place - below)
            update[name] = value.sign() * level * (top / self.levels)
        return update, coded_bytes(update, self.bits) + 4 * len(update)

    def noise(self, release: Release) -> float:
        """Root-mean-square rounding error, as the levels in the release tell it, and the noise.

        A coordinate a share f of the way between two levels has variance f (1 - f) of their
        distance squared: 1/6 on average where many levels are in use. Where nearly all lie below
        the first, f is their magnitude, whose mean is that of the release.
        """
        total = error = 0.0
        for value in release.update.values():
            step = float(value.abs().amax()) / self.levels
            share = float(value.abs().mean()) / step if step else 0.0
            error += value.numel() * step**2 * min(share * (1 - min(share, 0.5)), 1 / 6)
            total += value.numel()
        return math.hypot(super().noise(release), math.sqrt(error / total))
