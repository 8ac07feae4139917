"""The likeliest image when what is known of its features has errors."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from attacks.invert.matching.clock import Clock
from attacks.invert.matching.image_prior import SpectralPrior
from attacks.invert.matching.lbfgs import lbfgs
from attacks.invert.matching.meter import spend
from attacks.invert.peeling.match import Match

MEMORY = 50
SOFTER = (30.0, 1.0)
"""Times the error's variance, stage by stage: far from the image the network bends."""


def likeliest_image(
    features: Callable[[Tensor], Tensor],
    known: Tensor,
    error: float,
    prior: SpectralPrior,
    start: Tensor,
    *,
    evaluations: int,
    clock: Clock,
) -> Match:
    """Maximum a posteriori over whitened coordinates.

    Args:
        features: images (1, C, H, W) -> (1, I, *places).
        known: (I, P) float64, features with errors.
        error: standard deviation of these.
        prior: over images.
        start: (1, C, H, W).
        evaluations: at most so many.
        clock: ends it early.
    """
    target = known.float()
    size = float(target.square().sum())

    def misfit(images: Tensor) -> Tensor:
        spend(len(images))
        given = features(images).flatten(2)[0]
        return (given - target).square().sum().double() / size

    code, spent, stopped = prior.encode(start), 0, "iterations"
    for softer in SOFTER:
        weight = softer * error**2 / size

        def objective(code: Tensor, weight: float = weight) -> Tensor:
            return misfit(prior.decode(code)) + weight * code.square().sum()

        found = lbfgs(
            objective,
            code,
            evaluations=(evaluations - spent) // (1 if softer == SOFTER[-1] else 2),
            clock=clock,
            memory=MEMORY,
        )
        code, spent, stopped = found.point, spent + found.evaluations, found.stopped
    images = prior.decode(code).clamp(0, 1)
    with torch.no_grad():
        value = float(misfit(images))
    return Match(images.detach(), value, spent, stopped)
