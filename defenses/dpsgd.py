"""DP-SGD (Abadi et al. 2016, Algorithm 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from defenses.accounting import gaussian_epsilon
from defenses.contract import Defense, Gradients, Release, batch_of, dense, registry
from defenses.gradients import add_noise, clip, mean
from defenses.registry import option


@registry.register("dpsgd")
@dataclass(frozen=True)
class DPSGD(Defense):
    """Clip each example's gradient to norm C, sum, add N(0, (sigma C)^2), divide by the batch size.

    Guarantee: (epsilon, delta)-DP of the Poisson-subsampled Gaussian mechanism, add/remove
    adjacency; infinite without noise. Known attack: with the clipping replayed, little noise
    leaves the image to a MAP estimate (Balunovic et al. 2022).
    """

    clip: float = option(1.0, "clipping norm C", low=0, open_low=True)
    noise_multiplier: float = option(0.01, "noise std over the clipping norm, sigma", low=0)

    def release(
        self,
        grads: Gradients,
        *,
        step: int = 0,
        steps: int = 1,
        batch_size: int | None = None,
        generator: torch.Generator,
    ) -> Release:
        """See `Defense.release`; one draw of noise on the sum."""
        size = batch_of(grads, batch_size)
        public = self.public(size)
        update = mean(clip(grads, self.clip), size)
        update = add_noise(update, public["noise_std"], generator)
        return dense(update, public)

    def replay(self, grads: Gradients, release: Release) -> dict[str, Tensor]:
        """Clip each candidate's gradient and average."""
        return mean(clip(grads, self.clip), release.public["batch_size"])

    def epsilon(self, *, steps: int, sample_rate: float, delta: float) -> float:
        """RDP accounting (Mironov et al. 2019) by Opacus."""
        return gaussian_epsilon(
            self.noise_multiplier, steps=steps, sample_rate=sample_rate, delta=delta
        )

    def public(self, batch_size: int) -> dict[str, Any]:
        """Clipping norm, batch size and the noise std per coordinate of the update."""
        std = self.noise_multiplier * self.clip / batch_size
        return {"batch_size": batch_size, "clip": self.clip, "noise_std": std}
