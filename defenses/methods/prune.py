"""Gradient pruning (Zhu, Liu and Han 2019, Section 5.2, after Lin et al. 2018)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from defenses.bases.compression import Compression, on_support
from defenses.contract import WIRE_BYTES_PER_VALUE, Gradients, Release, registry
from defenses.options import option


@registry.register("prune")
@dataclass(frozen=True)
class Prune(Compression):
    """Set the smallest coordinates of every layer's mean gradient to zero.

    Per tensor, as in deep gradient compression, where ``topk`` chooses among all coordinates
    together: small layers, whose gradients are often the largest, keep no more than their share.
    Zhu et al. report that pruning more than 20% stops their attack, which matches all
    coordinates; 99% is usual in later comparisons.

    Guarantee: none; the support depends on the data. Known attack: match the coordinates that
    were released, and with several pruned layers each layer's own.
    """

    rate: float = option(
        0.99, "share of each tensor's coordinates dropped", low=0, high=1, open_high=True
    )

    def compress(
        self, mean: Mapping[str, Tensor], plan: Mapping[str, Any], generator: torch.Generator
    ) -> tuple[dict[str, Tensor], int]:
        """The largest coordinates of each tensor, at least one, with their indices."""
        update, sent = {}, 0
        for name, value in mean.items():
            flat = value.flatten()
            kept = flat.numel() - int(self.rate * flat.numel())
            index = flat.abs().topk(kept).indices
            update[name] = torch.zeros_like(flat).scatter(0, index, flat[index]).view_as(value)
            sent += kept
        return update, 2 * WIRE_BYTES_PER_VALUE * sent

    def replay(self, grads: Gradients, release: Release) -> dict[str, Tensor]:
        """The candidates' mean gradient on the support that was released."""
        return on_support(super().replay(grads, release), release.update)
