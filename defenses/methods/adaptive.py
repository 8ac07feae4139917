"""Adaptive clipping (Andrew, Thakkar, McMahan and Ramaswamy 2021, NeurIPS, arXiv 1905.03871)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from defenses.bases.remembering import Remembering
from defenses.contract import WIRE_BYTES_PER_VALUE, Gradients, Release, registry
from defenses.gradients import clipped_sum, squared_norms
from defenses.methods.dpsgd import DPSGD
from defenses.options import option
from defenses.secrecy import normal

SHORT = "adaptive.short"
"""Among the sums over a batch: how many gradients are at most C long, less half of all."""


@registry.register("adaptive")
@dataclass(frozen=True)
class Adaptive(Remembering, DPSGD):
    """DP-SGD whose clipping norm C follows a quantile of the gradients' norms.

    Besides the clipped sum, a step counts the gradients that were not clipped, with noise of std
    sigma_b; from that count's share b of the public batch size, the next step has the norm
    C exp(-rate (b - quantile)) (Algorithm 1). ``clip`` is the first step's.

    Guarantee: that of ``dpsgd`` with the same noise multiplier z. Every example adds its clipped
    gradient to one sum, of noise z_Delta C, and +1/2 or -1/2 to the other, of noise sigma_b.
    Together these are one Gaussian mechanism of noise z where z^-2 = z_Delta^-2 +
    (2 sigma_b)^-2 (Theorem 1). A share of the budget z^-2 is set aside for the count:
    ``count_share`` = (2 sigma_b / z)^-2, so sigma_b = z / (2 sqrt(count_share)) and
    z_Delta = z / sqrt(1 - count_share). The paper's sigma_b of a twentieth of the batch is the
    share 0.01 at z = 1 and batches of 100. Norms are functions of earlier noisy counts, hence
    public.

    Known attack: that on DP-SGD, with the norm of the step; where gradients shrink, C and with
    it the noise follow, so that late steps are no better hidden than early ones.
    """

    factored: ClassVar[bool] = True

    quantile: float = option(0.5, "share of the gradients to leave unclipped", low=0, high=1)
    clip_rate: float = option(0.2, "how fast the clipping norm follows, eta_C", low=0)
    count_share: float = option(
        0.01,
        "share of the budget z^-2 spent on counting unclipped gradients",
        low=0,
        high=1,
        open_low=True,
        open_high=True,
    )

    def bound(self) -> float:
        """This step's clipping norm."""
        known = self.recall().get("clip")
        return self.clip if known is None else float(known)

    def plan(
        self, like: Mapping[str, Tensor], *, step: int, steps: int, generator: torch.Generator
    ) -> dict[str, Any]:
        """The clipping norm."""
        return {"clip": self.bound()}

    def contribute(self, grads: Gradients, plan: Mapping[str, Any]) -> dict[str, Tensor]:
        """The sum of the clipped gradients, and under `SHORT` the centred count."""
        clip = plan.get("clip", self.clip)
        short = squared_norms(grads) <= clip**2
        total = clipped_sum(grads, clip)
        total[SHORT] = (short.double() - 0.5).sum()
        return total

    def finish(
        self,
        total: Mapping[str, Tensor],
        plan: Mapping[str, Any],
        *,
        batch_size: int,
        generator: torch.Generator,
    ) -> Release:
        """See `Summed.finish`. The noisy count travels too, and sets the next step's norm."""
        sums = dict(total)
        count = float(sums.pop(SHORT, 0.0))
        made = super().finish(sums, plan, batch_size=batch_size, generator=generator)
        count += self.noise_of_count() * float(normal(torch.Size(), torch.float32, generator))
        share = min(1.0, max(0.0, 0.5 + count / batch_size))
        clip = made.public["clip"] * math.exp(-self.clip_rate * (share - self.quantile))
        self.remember({"clip": torch.tensor(clip, dtype=torch.float64)})
        return Release(made.update, made.public, made.wire_bytes + WIRE_BYTES_PER_VALUE)

    def replay(self, grads: Gradients, release: Release) -> dict[str, Tensor]:
        """Clipped at the step's norm and averaged."""
        found = super().replay(grads, release)
        return {k: found[k] for k in grads}

    def noise_of_sum(self) -> float:
        """Noise std on the clipped sum, over C: z_Delta."""
        return self.noise_multiplier / math.sqrt(1 - self.count_share)

    def noise_of_count(self) -> float:
        """Noise std on the count: sigma_b."""
        return self.noise_multiplier / (2 * math.sqrt(self.count_share))

    def public(self, batch_size: int) -> dict[str, Any]:
        """This step's clipping norm, batch size and the noise std per coordinate of the update."""
        clip = self.bound()
        std = self.noise_of_sum() * clip / batch_size
        return {"batch_size": batch_size, "clip": clip, "noise_std": std}
