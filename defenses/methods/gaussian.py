"""Noise without clipping, as federated papers often call a defense."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from defenses.bases.summed import Linear
from defenses.contract import registry
from defenses.options import option


@registry.register("gaussian")
@dataclass(frozen=True)
class Gaussian(Linear):
    """The mean gradient plus N(0, (sigma C)^2) / batch size on every coordinate.

    ``clip`` only sets the unit of the noise, so that it compares with DP-SGD at the same
    flags; nothing is clipped. Guarantee: none, because the sensitivity is unbounded.
    Known attack: MAP estimation (Balunovic et al. 2022); large gradients drown the noise.
    """

    clip: float = option(1.0, "unit of the noise; nothing is clipped", low=0, open_low=True)
    noise_multiplier: float = option(0.01, "noise std over that unit, sigma", low=0)

    def public(self, batch_size: int) -> dict[str, Any]:
        """Batch size and the noise std per coordinate of the update."""
        std = self.noise_multiplier * self.clip / batch_size
        return {"batch_size": batch_size, "noise_std": std}
