"""Keep the largest coordinates of the update (Aji and Heafield 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from defenses.bases.compression import Compression, on_support
from defenses.contract import WIRE_BYTES_PER_VALUE, Gradients, Release, registry
from defenses.gradients import flat, split
from defenses.options import option


@registry.register("topk")
@dataclass(frozen=True)
class TopK(Compression):
    """Send the coordinates of the mean gradient that are largest in magnitude, and their indices.

    Guarantee: none; the support itself depends on the data. Known attack: match on the
    released support, where the energy of the gradient is.
    """

    rate: float = option(0.9, "share of coordinates dropped", low=0, high=1, open_high=True)

    def compress(
        self, mean: Mapping[str, Tensor], plan: Mapping[str, Any], generator: torch.Generator
    ) -> tuple[dict[str, Tensor], int]:
        """The largest coordinates of all; deterministic. A value and an index travel for each."""
        sizes = flat(mean).abs()
        kept = len(sizes) - int(self.rate * len(sizes))
        keep = torch.zeros_like(sizes, dtype=torch.bool)
        keep[sizes.topk(kept).indices] = True
        mask = split(keep, mean)
        return {k: v * mask[k] for k, v in mean.items()}, 2 * WIRE_BYTES_PER_VALUE * kept

    def replay(self, grads: Gradients, release: Release) -> dict[str, Tensor]:
        """The candidates' mean gradient on the support that was released."""
        return on_support(super().replay(grads, release), release.update)
