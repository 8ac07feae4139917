"""DP-FC: gradient descent in the metric of a noisy feature covariance."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from defenses import option
from victims.transfer.contract import Method, Problem, registry
from victims.transfer.descent import clipped_gradient
from victims.transfer.mechanism import Mechanism
from victims.transfer.spectrum import Spectrum, ridge


@registry.register("dp-fc")
@dataclass(frozen=True)
class FeatureCovariance(Method):
    """W -= lr (F + ridge I)^-1 g, some steps from 0 (Mehta et al. 2023, Algorithm 3).

    F is the sum of x x^T over all examples, released once and before all steps; g the sum of
    their clipped gradients, of the softmax cross-entropy where the paper has sigmoids with a bias
    of -10, from which few steps never leave the floor.

    Sensitivities, of rows with norm at most 1 under add/remove: F moves by one x x^T, of
    Frobenius norm 1; each g by 1, the norm to which an example's gradient is clipped.
    """

    source = "Mehta et al. 2023, Algorithm 3"
    squares = True

    steps: int = option(10, "gradients released", low=1)
    lr: float = option(2.0, "learning rate", low=0, open_low=True)
    strength: float = option(
        0.2, "ridge, as a share of the spectral radius of the covariance's noise", low=0
    )

    def releases(self) -> int:
        """The covariance and one gradient a step."""
        return 1 + self.steps

    def fit(self, problem: Problem, mechanism: Mechanism) -> Tensor:
        """See `Method.fit`."""
        covariance = mechanism.release_symmetric(lambda: problem.gramian, 1.0, "covariance")
        metric = Spectrum.of(covariance)
        extra = ridge(self.strength, mechanism.std(1.0), problem.dim)
        head = torch.zeros(problem.classes, problem.dim, dtype=torch.float64)
        for step in range(self.steps):
            gradient = partial(clipped_gradient, problem, head)
            total = mechanism.release(gradient, 1.0, "gradient", step)
            head = head - self.lr * metric.solve(extra, total)
        return head
