"""The statistics of batch normalisation that a client sent, in units of its update."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from victims.gradients.batch_norm import MEAN, VARIANCE

FLAT = 1e-5
"""Of a channel's variance: PyTorch adds as much to it."""


@dataclass(frozen=True)
class Sent:
    """Means and variances of every channel, each in units of what the channel varies by.

    Attributes:
        told: what was sent, as `victims.gradients.batch_norm.statistics_of` gives it.
        unit: what a mean that misses by a standard deviation, or a variance that is missed by
            all of itself, weighs beside the update.
    """

    told: Mapping[str, Tensor]
    unit: float

    @classmethod
    def of(cls, told: Mapping[str, Tensor], update: Tensor) -> Sent | None:
        """Beside an update (P,), noise and all: as a whole they weigh as much as it does.

        More where noise drowns the update, for there is none on them, was tried: candidates that
        must meet them at once are led astray. None where nothing was sent.
        """
        if not told:
            return None
        plain = cls({k: v.to(update) for k, v in told.items()}, 1.0)
        size = float(plain.observed.norm())
        return cls(plain.told, float(update.norm()) / max(size, 1e-300))

    @cached_property
    def observed(self) -> Tensor:
        """(N,) of `scaled`, what was sent."""
        return self.scaled(self.told)

    def scaled(self, fed: Mapping[str, Tensor]) -> Tensor:
        """(N,) statistics of candidates by the same names, differentiable in them."""
        parts = []
        for name in self.told:
            layer, _, kind = name.rpartition(".")
            spread = self.told[f"{layer}.{VARIANCE}"] + FLAT
            parts.append(fed[name] / (spread.sqrt() if kind == MEAN else spread))
        return self.unit * torch.cat(parts)
