"""Plain SGD: the mean gradient leaves as it is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from defenses.contract import Defense, Gradients, Release, batch_of, dense, registry
from defenses.gradients import mean


@registry.register("none")
@dataclass(frozen=True)
class NoDefense(Defense):
    """The mean of the per-example gradients.

    Guarantee: none. Known attack: any gradient inversion (Zhu et al. 2019).
    """

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
        return dense(mean(grads, size), self.public(size))

    def replay(self, grads: Gradients, release: Release) -> dict[str, Tensor]:
        """The candidates' mean gradient."""
        return mean(grads, release.public["batch_size"])
