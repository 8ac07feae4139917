"""Keep the largest coordinates of the update (Aji and Heafield 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from defenses.contract import WIRE_BYTES_PER_VALUE, Gradients, Release, registry
from defenses.gradients import split
from defenses.registry import option
from defenses.summed import Summed, averaged, summed


@registry.register("topk")
@dataclass(frozen=True)
class TopK(Summed):
    """Send the coordinates of the mean gradient that are largest in magnitude, and their indices.

    Guarantee: none; the support itself depends on the data. Known attack: match on the
    released support, where the energy of the gradient is.
    """

    linear: ClassVar[bool] = True

    rate: float = option(0.9, "share of coordinates dropped", low=0, high=1, open_high=True)

    def contribute(self, grads: Gradients, plan: Mapping[str, Any]) -> dict[str, Tensor]:
        """The sum."""
        return summed(grads)

    def finish(
        self,
        total: Mapping[str, Tensor],
        plan: Mapping[str, Any],
        *,
        batch_size: int,
        generator: torch.Generator,
    ) -> Release:
        """See `Summed.finish`; deterministic. The wire carries a value and an index each."""
        full = averaged(total, batch_size)
        flat = torch.cat([v.flatten() for v in full.values()])
        kept = flat.numel() - int(self.rate * flat.numel())
        keep = torch.zeros(flat.numel(), dtype=torch.bool, device=flat.device)
        keep[flat.abs().topk(kept).indices] = True
        mask = split(keep, full)
        update = {k: v * mask[k] for k, v in full.items()}
        return Release(update, self.public(batch_size), 2 * WIRE_BYTES_PER_VALUE * kept)

    def replay(self, grads: Gradients, release: Release) -> dict[str, Tensor]:
        """The candidates' mean gradient on the support that was released."""
        full = super().replay(grads, release)
        return {k: v * (release.update[k] != 0) for k, v in full.items()}
