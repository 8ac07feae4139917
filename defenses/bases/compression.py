"""Defenses that see of a batch only its mean gradient, and send less of it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from defenses.bases.summed import Linear, average
from defenses.contract import Release


@dataclass(frozen=True)
class Compression(Linear):
    """A `Summed` defense by what it makes of the mean gradient: `compress`.

    Of a batch it needs the mean only, so it may follow another defense in a chain, where it
    compresses the update that the other one released. Zeros stay zero.
    """

    @abstractmethod
    def compress(
        self, mean: Mapping[str, Tensor], plan: Mapping[str, Any], generator: torch.Generator
    ) -> tuple[dict[str, Tensor], int]:
        """What is sent of a mean gradient, name -> tensor of the same shape, and its bytes."""

    def finish(
        self,
        total: Mapping[str, Tensor],
        plan: Mapping[str, Any],
        *,
        batch_size: int,
        generator: torch.Generator,
    ) -> Release:
        """See `Summed.finish`: divided, then compressed."""
        update, size = self.compress(average(total, batch_size), plan, generator)
        return Release(update, self.public(batch_size) | dict(plan), size)

    def noise_after(self, std: float) -> float:
        """Noise std per coordinate of what is sent, when what came in had noise ``std``."""
        return std


def on_support(full: Mapping[str, Tensor], update: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The coordinates of ``full`` that were released, i.e. are not 0 in ``update``."""
    return {k: v * (update[k] != 0) for k, v in full.items()}


def coded_bytes(update: Mapping[str, Tensor], bits: int) -> int:
    """Size of coordinates of ``bits`` bits: all of them, or how many are not zero and which."""
    values = sum(v.numel() for v in update.values())
    sent = sum(int(v.count_nonzero()) for v in update.values())
    return min(-(-values * bits // 8), 4 + -(-sent * (bits + 32) // 8))
