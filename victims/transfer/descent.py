"""Gradients of the softmax cross-entropy, clipped example by example, and steps along them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from victims.transfer.contract import Problem
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


def descend(
    problem: Problem,
    mechanism: Mechanism,
    steps: int,
    make: Callable[[list[Tensor]], torch.optim.Optimizer],
    *,
    batch: int | None = None,
    clip: float = 1.0,
) -> Tensor:
    """(L, d) float64 head after some steps from 0 along noisy mean gradients.

    Args:
        problem: whose loss falls.
        mechanism: releases each step's sum of clipped gradients, of sensitivity ``clip``.
        steps: how many.
        make: the optimizer of the parameters that it is given.
        batch: expected number of examples in a step, which are Poisson samples; None: all are in.
        clip: norm to which each example's gradient is clipped.
    """
    head = torch.zeros(problem.classes, problem.dim, dtype=torch.float64)
    optimizer = make([head])
    rows = None
    for step in range(steps):
        if batch is not None:
            rows = mechanism.sample(len(problem.labels), batch / problem.size, step)
        total = mechanism.release(
            clipped_gradient(problem, head, rows, clip), clip, "gradient", step
        )
        head.grad = total / (batch or problem.size)
        optimizer.step()
    return head
