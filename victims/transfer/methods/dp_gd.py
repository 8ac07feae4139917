"""DP-GD: gradient descent on all examples at every step."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from defenses import option
from victims.transfer.contract import registry
from victims.transfer.descent import Descent


@registry.register("dp-gd")
@dataclass(frozen=True)
class GradientDescent(Descent):
    """Full-batch gradient descent with momentum (Mehta et al. 2022, Section 3)."""

    source = "Mehta et al. 2022, Section 3"

    steps: int = option(100, "gradients released", low=1)
    lr: float = option(16.0, "learning rate, of the mean gradient", low=0, open_low=True)
    momentum: float = option(0.9, "of the steps", low=0, high=1, open_high=True)

    def optimizer(self, weights: list[Tensor]) -> torch.optim.Optimizer:
        """See `Descent.optimizer`."""
        return torch.optim.SGD(weights, lr=self.lr, momentum=self.momentum)
