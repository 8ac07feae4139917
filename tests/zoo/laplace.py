"""A correct defense whose guarantee rests on no Gaussian mechanism."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from defenses import Gradients, Release, Summed, option
from defenses.contract import dense


@dataclass(frozen=True)
class Laplace(Summed):
    """Clip to L1 norm C, sum, add Laplace noise of scale ``share`` C / per_step (Dwork 2006).

    One example that joins or leaves moves the sum by an L1 distance of C at most, so a step is
    (per_step, 0)-DP, and less where examples are sampled; steps add up. ``share`` below 1 is a
    fault: there is less noise than the guarantee needs.
    """

    clip: float = option(1.0, "L1 norm C", low=0, open_low=True)
    per_step: float = option(0.2, "epsilon of one step", low=0, open_low=True)
    share: float = option(1.0, "of the noise that is needed", low=0, open_low=True)

    def contribute(self, grads: Gradients, plan: Mapping[str, Any]) -> dict[str, Tensor]:
        lengths = torch.stack([g.flatten(1).abs().sum(1) for g in grads.values()]).sum(0)
        factors = self.clip / lengths.clamp(min=self.clip)
        return {k: torch.tensordot(factors, g, 1) for k, g in grads.items()}

    def finish(
        self,
        total: Mapping[str, Tensor],
        plan: Mapping[str, Any],
        *,
        batch_size: int,
        generator: torch.Generator,
    ) -> Release:
        public = self.public(batch_size)
        scale = public["noise_std"] / math.sqrt(2)
        update = {}
        for name, value in total.items():
            size = torch.empty(value.shape).exponential_(generator=generator)
            sign = 1 - 2 * torch.randint(0, 2, value.shape, generator=generator)
            update[name] = value / batch_size + scale * (sign * size).to(value)
        return dense(update, public)

    def epsilon(self, *, steps: int, sample_rate: float, delta: float) -> float:
        return steps * math.log1p(sample_rate * math.expm1(self.per_step))

    def public(self, batch_size: int) -> dict[str, Any]:
        scale = self.share * self.clip / self.per_step / batch_size
        return {"batch_size": batch_size, "clip": self.clip, "noise_std": math.sqrt(2) * scale}
