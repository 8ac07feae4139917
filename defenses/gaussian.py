"""Noise without clipping, as federated papers often call a defense."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from defenses.contract import Defense, Gradients, Release, batch_of, dense, registry
from defenses.gradients import add_noise, mean
from defenses.registry import option


@registry.register("gaussian")
@dataclass(frozen=True)
class Gaussian(Defense):
    """The mean gradient plus N(0, (sigma C)^2) / batch size on every coordinate.

    ``clip`` only sets the unit of the noise, so that it compares with DP-SGD at the same
    flags; nothing is clipped. Guarantee: none, because the sensitivity is unbounded.
    Known attack: MAP estimation (Balunovic et al. 2022); large gradients drown the noise.
    """

    clip: float = option(1.0, "unit of the noise; nothing is clipped", low=0, open_low=True)
    noise_multiplier: float = option(0.01, "noise std over that unit, sigma", low=0)

    def release(
        self,
        grads: Gradients,
        *,
        step: int = 0,
        steps: int = 1,
        batch_size: int | None = None,
        generator: torch.Generator,
    ) -> Release:
        """See `Defense.release`."""
        size = batch_of(grads, batch_size)
        public = self.public(size)
        update = add_noise(mean(grads, size), public["noise_std"], generator)
        return dense(update, public)

    def replay(self, grads: Gradients, release: Release) -> dict[str, Tensor]:
        """The candidates' mean gradient; the noise is what remains."""
        return mean(grads, release.public["batch_size"])

    def public(self, batch_size: int) -> dict[str, Any]:
        """Batch size and the noise std per coordinate of the update."""
        std = self.noise_multiplier * self.clip / batch_size
        return {"batch_size": batch_size, "noise_std": std}
