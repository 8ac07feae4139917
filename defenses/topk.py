"""Keep the largest coordinates of the update (Aji and Heafield 2017)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from defenses.contract import WIRE_BYTES_PER_VALUE, Defense, Gradients, Release, batch_of, registry
from defenses.gradients import mean, split
from defenses.registry import option


@registry.register("topk")
@dataclass(frozen=True)
class TopK(Defense):
    """Send the coordinates of the mean gradient that are largest in magnitude, and their indices.

    Guarantee: none; the support itself depends on the data. Known attack: match on the
    released support, where the energy of the gradient is.
    """

    rate: float = option(0.9, "share of coordinates dropped", low=0, high=1, open_high=True)

    def release(
        self,
        grads: Gradients,
        *,
        step: int = 0,
        steps: int = 1,
        batch_size: int | None = None,
        generator: torch.Generator,
    ) -> Release:
        """See `Defense.release`; deterministic. The wire carries a value and an index each."""
        size = batch_of(grads, batch_size)
        full = mean(grads, size)
        flat = torch.cat([v.flatten() for v in full.values()])
        kept = flat.numel() - int(self.rate * flat.numel())
        keep = torch.zeros(flat.numel(), dtype=torch.bool, device=flat.device)
        keep[flat.abs().topk(kept).indices] = True
        mask = split(keep, full)
        update = {k: v * mask[k] for k, v in full.items()}
        return Release(update, self.public(size), 2 * WIRE_BYTES_PER_VALUE * kept)

    def replay(self, grads: Gradients, release: Release) -> dict[str, Tensor]:
        """The candidates' mean gradient on the support that was released."""
        full = mean(grads, release.public["batch_size"])
        return {k: v * (release.update[k] != 0) for k, v in full.items()}
