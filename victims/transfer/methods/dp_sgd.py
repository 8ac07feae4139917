"""DP-SGD of the head alone, on Poisson batches."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from defenses import BadInput, option
from victims.transfer.contract import registry
from victims.transfer.descent import Descent


@registry.register("dp-sgd")
@dataclass(frozen=True)
class StochasticDescent(Descent):
    """DP-SGD on the last layer (Abadi et al. 2016, Algorithm 1; Tramèr and Boneh 2021).

    An example is in a step with the probability batch size / size. ``victims.train --layers last``
    trains the same way any model with any defense; here it stands beside the other methods.
    """

    source = "Abadi et al. 2016, Algorithm 1"

    batch_size: int = option(8192, "expected examples of a step", low=1)
    steps: int = option(290, "gradients released", low=1)
    lr: float = option(16.0, "learning rate, of the mean gradient", low=0, open_low=True)
    momentum: float = option(0.9, "of the steps", low=0, high=1, open_high=True)
    clip: float = option(1.0, "norm to which each gradient is clipped", low=0, open_low=True)

    def sample_rate(self, size: int) -> float:
        """See `Method.sample_rate`."""
        if self.batch_size > size:
            raise BadInput(
                f"the batch of {self.batch_size} is larger than the {size} examples: "
                f"--batch-size is {size} at most"
            )
        return self.batch_size / size

    def batch(self) -> int:
        """See `Descent.batch`."""
        return self.batch_size

    def bound(self) -> float:
        """See `Descent.bound`."""
        return self.clip

    def optimizer(self, weights: list[Tensor]) -> torch.optim.Optimizer:
        """See `Descent.optimizer`."""
        return torch.optim.SGD(weights, lr=self.lr, momentum=self.momentum)
