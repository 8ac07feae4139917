"""DP-SGD (Abadi et al. 2016, Algorithm 1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from defenses.bases.summed import Summed
from defenses.contract import Gradients, registry
from defenses.gradients import clipped_sum
from defenses.options import option


@registry.register("dpsgd")
@dataclass(frozen=True)
class DPSGD(Summed):
    """Clip each example's gradient to norm C, sum, add N(0, (sigma C)^2), divide by the batch size.

    Guarantee: (epsilon, delta)-DP of the Poisson-subsampled Gaussian mechanism, add/remove
    adjacency; infinite without noise. Known attack: with the clipping replayed, little noise
    leaves the image to a MAP estimate (Balunovic et al. 2022).
    """

    factored: ClassVar[bool] = True
    skips_unfinite: ClassVar[bool] = True

    clip: float = option(1.0, "clipping norm C", low=0, open_low=True)
    noise_multiplier: float = option(0.01, "noise std over the clipping norm, sigma", low=0)

    def contribute(self, grads: Gradients, plan: Mapping[str, Any]) -> dict[str, Tensor]:
        """The sum of the clipped gradients."""
        return clipped_sum(grads, self.clip)

    def effective_noise(self) -> float:
        """Sigma: one example moves the sum by at most C."""
        return self.noise_multiplier

    def public(self, batch_size: int) -> dict[str, Any]:
        """Clipping norm, batch size and the noise std per coordinate of the update."""
        std = self.noise_multiplier * self.clip / batch_size
        return {"batch_size": batch_size, "clip": self.clip, "noise_std": std}
