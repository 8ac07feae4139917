"""DP-GD: gradient descent on all examples at every step."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from defenses import option
from victims.transfer.contract import Method, Problem, registry
from victims.transfer.descent import descend
from victims.transfer.mechanism import Mechanism


@registry.register("dp-gd")
@dataclass(frozen=True)
class GradientDescent(Method):
    """Full-batch gradient descent with momentum, from 0 (Mehta et al. 2022, Section 3).

    Sensitivity of each step's release: 1, the norm to which an example's gradient is clipped.
    """

    source = "Mehta et al. 2022, Section 3"

    steps: int = option(100, "gradients released", low=1)
    lr: float = option(16.0, "learning rate, of the mean gradient", low=0, open_low=True)
    momentum: float = option(0.9, "of the steps", low=0, high=1, open_high=True)

    def releases(self) -> int:
        """One a step."""
        return self.steps

    def fit(self, problem: Problem, mechanism: Mechanism) -> Tensor:
        """See `Method.fit`."""
        return descend(
            problem,
            mechanism,
            self.steps,
            lambda weights: torch.optim.SGD(weights, lr=self.lr, momentum=self.momentum),
        )
