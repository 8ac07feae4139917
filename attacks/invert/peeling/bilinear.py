"""The top convolution under a mask or noise: its input and its gates at once.

The gradient of its weights is a product of two things that are both unknown: what it was fed,
and which gates let the slope through. Both are solved for together, near what the adversary's
own images show, and nearer the data with every stage.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.invert.matching.clock import Clock
from attacks.invert.matching.lbfgs import lbfgs
from attacks.invert.matching.meter import spend
from attacks.invert.peeling.top import Top, TopPrior

Plan = tuple[tuple[float, int], ...]
"""Strength of the prior and evaluations, stage by stage."""
PLAN: Plan = (
    (1e-3, 40),
    (1e-4, 60),
    (1e-5, 100),
    (3e-6, 100),
    (1e-6, 150),
    (3e-7, 150),
    (1e-7, 150),
)
"""Slow enough for three times fewer equations than a release without a mask holds."""
BOX = 10.0
"""Weight of what cannot be, beside the prior's: negative inputs, gates outside [0, 1]."""
LEAST_VARIANCE = 2.5e-3
"""Of an input, beside the mean variance of all."""
FAINT = 1e-3
"""Variance of a slope whose gate the auxiliary images never moved, beside the mean square."""


@dataclass(frozen=True)
class Stage:
    """Where the solution stands after a stage.

    Attributes:
        inputs: (I, B * P) float32, what the convolution was fed.
        opened: (O, B * n) float32, slopes at its outputs, in units of `Top.sizes`.
        residual: what is left of the gradient, relative.
        evaluations: spent on this stage, for each example.
    """

    inputs: Tensor
    opened: Tensor
    residual: float
    evaluations: int


class Problem:
    """Misfit and prior of the bilinear problem, every channel in units of its own slopes."""

    def __init__(self, top: Top, prior: TopPrior) -> None:
        self.top = top
        self.slope = (top.slope / top.sizes).float()
        self.value = (top.value / top.sizes).float()
        self.seen = top.seen.float()
        self.total = float(self.value.square().sum())
        self.size = prior.inputs.numel() + prior.gates.numel()
        self.mean = prior.inputs.float()
        variance = prior.inputs_variance.float()
        self.variance = variance.clamp(min=LEAST_VARIANCE * float(variance.mean()))
        self.likely = self.slope * prior.gates.float()
        self.spread = self.slope.square() * prior.gates_variance.float() + FAINT
        self.moving = float(prior.gates_variance.mean())
        # A weaker prior than the one that goes with the noise would fit the noise.
        noise = float((top.noise / top.sizes).square().mean())
        self.weakest = noise * self.size / self.total

    def left(self, inputs: Tensor, opened: Tensor) -> Tensor:
        """(O, I * taps) what the gradient has beyond what these explain, where it is seen."""
        return opened @ self.top.unfold(inputs) * self.seen - self.value

    def energy(self, inputs: Tensor, opened: Tensor, strength: float) -> Tensor:
        """Scalar: relative squared misfit, and the prior's share."""
        near = ((inputs - self.mean).square() / self.variance).sum()
        near = near + ((opened - self.likely).square() / self.spread).sum()
        along = opened * self.slope.sign()
        over = along.clamp(max=0).square() + (along - self.slope.abs()).clamp(min=0).square()
        past = (inputs.clamp(max=0).square() / self.variance).sum() + (over / self.spread).sum()
        if self.top.windows is not None:
            past = past + self._crowding(along)
        misfit = self.left(inputs, opened).square().sum() / self.total
        return misfit + strength / self.size * (near + BOX * past)

    def _crowding(self, along: Tensor) -> Tensor:
        """By how much the gates of a pooling window open further than one of them may."""
        members = self.top.members.to(along)
        each = members.sum(0)
        limit = self.slope.abs() @ members / each
        scale = self.slope.square() @ members / each * self.moving + FAINT
        return ((along @ members - limit).clamp(min=0).square() / scale).sum()

    def preconditioners(self, stage: Stage, strength: float) -> tuple[Tensor, Tensor]:
        """Inverse roots of the curvature in the inputs (B * P, B * P) and in the slopes."""
        weight = 2 * float(self.seen.mean()) / self.total
        ridge = 2 * strength / self.size
        rows, patches = self.top.system(stage.opened), self.top.unfold(stage.inputs)
        return (
            _inverse_root(weight * rows.T @ rows, ridge / float(self.variance.mean())),
            _inverse_root(weight * patches @ patches.T, ridge * float((1 / self.spread).mean())),
        )


def stages(top: Top, prior: TopPrior, *, clock: Clock, plan: Plan = PLAN) -> Iterator[Stage]:
    """The bilinear problem, solved nearer the data with every stage.

    Preconditioned L-BFGS in float32. Without the preconditioner it stalls: places of the maps
    hang together far more than channels do.

    Args:
        top: what the release says.
        prior: where to begin, and what to stay near.
        clock: guards all of it.
        plan: see `Plan`; under noise the stages end with the likelihood's own strength.
    """
    problem = Problem(top, prior)
    stage = Stage(problem.mean, problem.likely, 1.0, 0)
    for strength, evaluations in plan:
        if clock.over:
            return
        stage = _descend(problem, stage, max(strength, problem.weakest), evaluations, clock)
        yield stage
        if strength <= problem.weakest:
            return


def _descend(
    problem: Problem, start: Stage, strength: float, evaluations: int, clock: Clock
) -> Stage:
    """One stage."""
    whole, half = problem.preconditioners(start, strength)
    split, open_somewhere = start.inputs.numel(), (problem.slope != 0).float()

    def moved(point: Tensor) -> tuple[Tensor, Tensor]:
        flat = point.float()
        inputs = start.inputs + flat[:split].reshape(start.inputs.shape) @ whole
        opened = start.opened + flat[split:].reshape(start.opened.shape) @ half
        return inputs, opened * open_somewhere

    def objective(point: Tensor) -> Tensor:
        spend(problem.top.examples)
        return problem.energy(*moved(point), strength)

    found = lbfgs(
        objective,
        start.inputs.new_zeros(problem.size, dtype=torch.float64),
        evaluations=evaluations,
        clock=clock,
    )
    inputs, opened = moved(found.point.detach())
    residual = float(problem.left(inputs, opened).norm()) / problem.total**0.5
    return Stage(inputs, opened, residual, found.evaluations)


def _inverse_root(matrix: Tensor, ridge: float) -> Tensor:
    """(matrix + ridge)^-1/2, symmetric, float32."""
    eye = torch.eye(len(matrix), dtype=torch.float64, device=matrix.device)
    matrix = matrix.double() + ridge * eye
    powers, axes = torch.linalg.eigh(matrix)
    roots = powers.clamp(min=1e-12 * float(powers.max())).rsqrt()
    root: Tensor = (axes * roots) @ axes.T
    return root.float()
