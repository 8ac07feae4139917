"""The percentile filter of a deployed federated learner (NVIDIA FLARE's PercentilePrivacy)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from defenses.bases.selected import Selected
from defenses.contract import registry
from defenses.options import option
from defenses.selection import largest


@registry.register("percentile")
@dataclass(frozen=True)
class Percentile(Selected):
    """Send what is not below a percentile of the magnitudes, truncated to [-gamma, gamma].

    So at the published default it drops the smallest tenth and sends nine tenths, without noise,
    though documented there as the "largest percentile to share" of Shokri and Shmatikov (2015).
    Its gamma is in units of a weight difference per local step, i.e. of a gradient times the
    learning rate.

    Guarantee: none. Known attack: that on ``dssgd``: match what was sent; what was truncated is
    at least gamma.
    """

    percentile: float = option(
        10.0, "percentile of the magnitudes below which nothing is sent", low=0, high=100
    )
    gamma: float = option(
        0.01, "what is sent is truncated to [-gamma, gamma]", low=0, open_low=True
    )

    def count(self, total: int) -> int:
        """How many of ``total`` coordinates lie at or above the percentile, interpolated."""
        return total - math.ceil(self.percentile / 100 * (total - 1) - 1e-9)

    def select(self, sizes: Tensor, generator: torch.Generator) -> Tensor:
        """See `Selected.select`."""
        return largest(sizes, self.count(len(sizes)))

    def largest_unsent(self, sizes: Tensor) -> float:
        """See `Selected.largest_unsent`: the least that was sent, unless it was truncated."""
        least = float(sizes.topk(self.count(len(sizes))).values[-1])
        return least if least < self.gamma * (1 - 1e-6) else math.inf
