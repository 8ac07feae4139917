"""Descends along gradients of the softmax cross-entropy, clipped example by example."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from defenses import option
from victims.transfer.contract import Method, Problem
from victims.transfer.mechanism import Mechanism
from victims.transfer.sums import outer_sum


def clipped_gradient(
    problem: Problem, head: Tensor, rows: Tensor | None = None, clip: float = 1.0
) -> Tensor:
    """(L, d) float64 sum over examples of (softmax(W x) - y) x^T, each clipped to norm ``clip``.

    One example more or less moves it by at most ``clip`` in Frobenius norm. One whose gradient is
    not finite moves nothing: a run that stopped at it would tell that it is there.

    Args:
        problem: whose loss it is.
        head: W (L, d), where the gradient is taken.
        rows: indices of the examples that count; None: all.
        clip: > 0.
    """
    x, y = problem.features, problem.targets
    if rows is not None:
        x, y = x[rows], y[rows]
    error = (torch.softmax(x @ head.to(x).T, dim=1) - y).nan_to_num()
    norms = torch.linalg.vector_norm(error, dim=1) * torch.linalg.vector_norm(x, dim=1)
    within = clip * (1 - 4 * torch.finfo(x.dtype).eps)  # never above, the roundings here included
    return outer_sum(error * (within / norms.clamp(min=within))[:, None], x)


@dataclass(frozen=True)
class Descent(Method):
    """Steps from 0 along noisy mean gradients (Mehta et al. 2022, Section 3).

    Sensitivity of each step's release: the norm to which an example's gradient is clipped, 1 unless
    a method says otherwise. The optimizer sees the releases alone.
    """

    steps: int = option(30, "gradients released", low=1)

    @abstractmethod
    def optimizer(self, weights: list[Tensor]) -> torch.optim.Optimizer:
        """What moves the weights by their ``grad``."""

    def batch(self) -> int | None:
        """Expected number of examples in a step, which are Poisson samples; None: all are in."""
        return None

    def bound(self) -> float:
        """The norm to which each example's gradient is clipped."""
        return 1.0

    def releases(self) -> int:
        """One a step."""
        return self.steps

    def fit(self, problem: Problem, mechanism: Mechanism) -> Tensor:
        """See `Method.fit`."""
        head = torch.zeros(problem.classes, problem.dim, dtype=torch.float64)
        optimizer, batch, bound, rows = self.optimizer([head]), self.batch(), self.bound(), None
        for step in range(self.steps):
            if batch is not None:
                rows = mechanism.sample(len(problem.labels), batch / problem.size, step)
            gradient = partial(clipped_gradient, problem, head, rows, bound)
            total = mechanism.release(gradient, bound, "gradient", step)
            head.grad = total / (batch or problem.size)
            optimizer.step()
        return head
