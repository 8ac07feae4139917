"""DP-Adam: Adam on noisy gradients of all examples."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from defenses import option
from victims.transfer.contract import Method, Problem, registry
from victims.transfer.descent import descend
from victims.transfer.mechanism import Mechanism


@registry.register("dp-adam")
@dataclass(frozen=True)
class Adam(Method):
    """Full-batch Adam, from 0 (Mehta et al. 2022, Section 3; Kingma and Ba 2015, Algorithm 1).

    Sensitivity of each step's release: 1, the norm to which an example's gradient is clipped.
    Adam sees the release alone.
    """

    source = "Mehta et al. 2022, Section 3"

    steps: int = option(30, "gradients released", low=1)
    lr: float = option(0.3, "learning rate", low=0, open_low=True)

    def releases(self) -> int:
        """One a step."""
        return self.steps

    def fit(self, problem: Problem, mechanism: Mechanism) -> Tensor:
        """See `Method.fit`."""
        return descend(
            problem, mechanism, self.steps, lambda weights: torch.optim.Adam(weights, lr=self.lr)
        )
