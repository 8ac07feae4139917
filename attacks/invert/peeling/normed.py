"""What a convolution was fed whose output group normalisation has scaled by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.invert.matching.clock import Clock
from attacks.invert.peeling.normed_system import Problem, System

LARGEST = 1 << 24
"""Entries of the system of all channels together."""
TURNS = 25
"""Of Gauss-Newton's method (Levenberg 1944)."""
FOUND = 1e-16
"""Share of what is to be explained, in squares, that is float32's or less."""
EXPLAINED = 1e-10
"""Such a share that no other start is tried."""
STARTS = (0.7, 1.2, 0.4, 2.0)
"""By how many deviations what a ReLU hid is below 0 at first, around the mean of a normal's."""
FAILED = 1e8
"""Damping at which no step helps."""
ALIKE = 1e-3
"""By how much lengths that groups tell may differ."""


@dataclass(frozen=True)
class Normed:
    """What was found.

    Attributes:
        fed: (1, I, H, W), what the convolution was fed.
        slope: (1, O, h, w), of the loss at what it gave.
        residual: what its weight's gradient has beyond that, relative.
    """

    fed: Tensor
    slope: Tensor
    residual: float


def solve_normed(problem: Problem, clock: Clock) -> Normed | str:
    """The input of a convolution whose output was normalised; or why it is not told.

    Without a bias all is known up to a factor, which the constant that normalisation adds to a
    variance tells: the variance of what is normal is as much less than 1.

    Args:
        problem: see `Problem`.
        clock: ends it early.
    """
    rule, norm = problem.rule, problem.norm
    unknowns = rule.weight.shape[1] * rule.geometry.places
    rows = problem.gradient.numel() + int(problem.known.sum())
    if rows * unknowns > LARGEST:
        return f"{rows} equations for {unknowns} unknowns together are too many"
    system = System(problem)
    point, left = None, math.inf
    for beyond in STARTS:
        tried, share = _descend(system, _start(system, beyond), clock)
        if point is None or share < left:
            point, left = tried, share
        if left < EXPLAINED or clock.over:
            break
    assert point is not None
    if not system.biased:
        told = _lengths(system, point)
        if float(told.max() - told.min()) > ALIKE * float(told.median()):
            return "without a bias its length is not told"
        point = point * told.median()
    deviation, _ = system.scales(point)
    if not bool((deviation > 0).all()):
        return "what group normalisation was fed is left open"
    _, normal, _ = system.seen(point)
    fed = point[: system.inputs].reshape(1, -1, *rule.geometry.size)
    slope = norm.pull_at(problem.slope, normal.reshape(problem.slope.shape))
    slope = slope / deviation.reshape(1, -1, 1, 1)
    told = rule.right(problem.gradient)
    missed = rule.system(slope) @ fed.flatten(2)[0].T - told
    return Normed(fed, slope, float(missed.norm() / told.norm().clamp(min=1e-300)))


def _start(system: System, beyond: float) -> Tensor:
    """The solution if hidden entries are what they are at first: least squares."""
    p = system.problem
    none = torch.zeros_like(system.known)
    size = system.inputs + 2 * system.one.shape[1]
    rows = system.jacobian(system.each.new_ones(size), system.at_first(beyond), none)
    constant = p.bias[:, None].expand_as(system.known)[system.known]
    if system.biased:
        right = torch.cat([-constant, rows.new_zeros(len(rows) - len(constant))])
    else:  # in units of the first deviation
        right, unit = -rows[:, system.inputs], system.inputs
        rows = rows.clone()
        rows[:, unit] = 0
    normal = rows.T @ rows
    normal.diagonal().add_(1e-12 * float(normal.diagonal().mean()))
    point: Tensor = torch.linalg.solve(normal, rows.T @ right)
    if not system.biased:
        point[system.inputs] = 1.0
    return point


def _descend(system: System, point: Tensor, clock: Clock) -> tuple[Tensor, float]:
    """Gauss-Newton's method, damped where a step does not help; and what it leaves, in squares."""
    free = torch.ones_like(point)
    if not system.biased:
        free[system.inputs] = 0  # the unit
    left = system.residuals(point)
    total = float(system.told.square().sum()) * system.weight**2
    damping = 1e-6
    for _ in range(TURNS):
        if float(left.square().sum()) < FOUND * total or clock.over or damping > FAILED:
            break
        _, normal, moves = system.seen(point)
        rows = system.jacobian(point, normal, moves) * free
        square, down = rows.T @ rows, rows.T @ left
        scale = square.diagonal().clamp(min=1e-12 * float(square.diagonal().mean()))
        while damping <= FAILED:
            step = torch.linalg.solve(square + damping * scale.diag(), down) * free
            tried = system.residuals(point - step)
            if float(tried.square().sum()) < float(left.square().sum()):
                point, left, damping = point - step, tried, damping / 10
                break
            damping = 10 * max(damping, 1e-8)
    return point, float(left.square().sum()) / max(total, 1e-300)


def _lengths(system: System, point: Tensor) -> Tensor:
    """(G,) the factors that each group tells."""
    _, normal, _ = system.seen(point)
    power = system.one.T @ normal.square().mean(1) / (system.outputs // system.one.shape[1])
    deviation = point[system.inputs :].chunk(2)[0]
    epsilon = system.problem.norm.epsilon
    return (epsilon / (1 - power).clamp(min=1e-15)).sqrt() / deviation
