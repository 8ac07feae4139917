"""DP-Adam: Adam on noisy gradients of all examples."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from defenses import option
from victims.transfer.contract import registry
from victims.transfer.descent import Descent


@registry.register("dp-adam")
@dataclass(frozen=True)
class Adam(Descent):
    """Full-batch Adam (Mehta et al. 2022, Section 3; Kingma and Ba 2015, Algorithm 1)."""

    source = "Mehta et al. 2022, Section 3"

    lr: float = option(0.3, "learning rate", low=0, open_low=True)

    def optimizer(self, weights: list[Tensor]) -> torch.optim.Optimizer:
        """See `Descent.optimizer`."""
        return torch.optim.Adam(weights, lr=self.lr)
