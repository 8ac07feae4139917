"""L-BFGS that counts its evaluations and never runs past its clock."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from scipy.optimize import minimize
from threadpoolctl import ThreadpoolController
from torch import Tensor

from attacks.invert.matching.clock import Clock


@dataclass(frozen=True)
class Minimum:
    """Where a descent ended: the best point seen, evaluations spent, and why it stopped."""

    point: Tensor
    value: float
    evaluations: int
    stopped: str


class _Halt(Exception):
    """Leaves scipy's loop when the clock or the evaluation count has run out."""


@functools.cache
def _libraries() -> ThreadpoolController:
    """The libraries with threads, scipy's among them; they are looked for once, for 10 ms."""
    return ThreadpoolController()


def lbfgs(
    objective: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    evaluations: int,
    clock: Clock,
    box: tuple[float, float] | None = None,
    memory: int = 20,
    enough: float = -math.inf,
) -> Minimum:
    """Minimise with L-BFGS-B (Byrd et al. 1995, by scipy), in float64.

    Args:
        objective: a tensor like ``start`` -> scalar, differentiable.
        start: where to begin; device and shape of every point tried.
        evaluations: at most this many gradients. A line search takes one or more.
        clock: once it is over no evaluation begins.
        box: lower and upper bound of every coordinate.
        memory: pairs of the quasi-Newton history.
        enough: the descent ends once the objective is below this.

    Returns:
        The best point by ``objective``, also when a line search stalls or a value is not finite.
    """
    best = (math.inf, start.detach().clone())
    count = 0
    scale = 1.0
    reason = "solved"

    def evaluate(flat: object) -> tuple[float, object]:
        nonlocal best, count, reason, scale
        if count >= evaluations or clock.over:
            reason = "iterations" if count >= evaluations else "time"
            raise _Halt
        point = torch.from_numpy(flat).to(start.device, torch.float64)
        point = point.reshape(start.shape).requires_grad_()
        value = objective(point)
        (slope,) = torch.autograd.grad(value, point)
        count += 1
        if count == 1:
            # scipy's first step is one unit of gradient; without this it would be far too long
            # or too short, for objectives span many orders of magnitude.
            scale = 1.0 / max(float(slope.norm()), 1e-300) * math.sqrt(start.numel()) * 0.1
        number = float(value.detach())
        if not (math.isfinite(number) and bool(torch.isfinite(slope).all())):
            reason = "solved"
            raise _Halt
        if number < best[0]:
            best = (number, point.detach().clone())
        if number < enough:
            raise _Halt
        return number * scale, (slope * scale).cpu().numpy().ravel()

    bounds = None if box is None else [box] * start.numel()
    flat_start = start.detach().double().cpu().numpy().ravel()
    options = {"maxcor": memory, "maxiter": 10**6, "maxfun": 10**6, "ftol": 0.0, "gtol": 1e-12}
    # scipy's BLAS threads would spin against torch's between evaluations: five times slower.
    with contextlib.suppress(_Halt), _libraries().limit(limits=1, user_api="blas"):
        minimize(evaluate, flat_start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return Minimum(best[1], best[0], count, reason)
