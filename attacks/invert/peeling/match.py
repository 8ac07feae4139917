"""The image whose features are the known ones, sought in the prior's whitened coordinates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.invert.matching.clock import Clock
from attacks.invert.matching.image_prior import SpectralPrior
from attacks.invert.matching.lbfgs import lbfgs
from attacks.invert.matching.meter import spend

MATCHED = 1e-6
"""Relative squared misfit below which features count as matched."""
STAGES = ((3e-3, 0.1), (1e-4, 0.1), (0.0, 0.8))
"""Weight of the prior, and share of the evaluations in whitened coordinates."""
MEMORY = 50
PIXELS = 0.25
"""Share of the evaluations that is kept for the pixels."""

Features = Callable[[Tensor], list[Tensor]]


@dataclass(frozen=True)
class Match:
    """An image and how well its features are the known ones.

    Attributes:
        image: (1, C, H, W) in [0, 1].
        misfit: squared distance of the features over that of the mean image's.
        evaluations: gradients that were spent.
        stopped: see `attacks.invert.matching.lbfgs.Minimum`.
    """

    image: Tensor
    misfit: float
    evaluations: int
    stopped: str


def match(
    features: Features,
    known: list[Tensor],
    prior: SpectralPrior,
    *,
    evaluations: int,
    clock: Clock,
    start: Tensor | None = None,
) -> Match:
    """Feature matching in whitened coordinates, then in the box of pixels.

    What is minimised first leans on the prior, or images far from its mean are not found.

    Args:
        features: images -> values of some layers, differentiable.
        known: these values for the private image.
        prior: over images.
        evaluations: at most so many gradients.
        clock: ends it early.
        start: (1, C, H, W); None: the prior's mean.
    """
    mean = prior.mean[None]
    with torch.no_grad():
        far = [(f.double() - k).square().sum() for f, k in zip(features(mean), known, strict=True)]
    weights = [1 / max(float(d), 1e-30) / len(far) for d in far]

    def misfit(images: Tensor) -> Tensor:
        spend(len(images))
        given = features(images)
        parts = zip(given, known, weights, strict=True)
        return torch.stack([w * (f.double() - k).square().sum() for f, k, w in parts]).sum()

    code = prior.encode(mean if start is None else start)
    spent = 0
    stopped = "iterations"
    budget = max(1, int((1 - PIXELS) * evaluations))
    for weight, share in STAGES:

        def objective(code: Tensor, weight: float = weight) -> Tensor:
            value = misfit(prior.decode(code))
            return value + weight * code.square().mean() if weight else value

        allowed = min(max(1, int(share * budget)), budget - spent)
        if allowed < 1 or clock.over:
            break
        found = lbfgs(objective, code, evaluations=allowed, clock=clock, memory=MEMORY)
        code, spent, stopped = found.point, spent + found.evaluations, found.stopped
    images = prior.decode(code).clamp(0, 1)
    if evaluations > spent and not clock.over:
        found = lbfgs(
            misfit,
            images,
            evaluations=evaluations - spent,
            clock=clock,
            box=(0.0, 1.0),
            memory=MEMORY,
        )
        images, spent, stopped = found.point, spent + found.evaluations, found.stopped
    with torch.no_grad():
        value = float(misfit(images))
    return Match(images.detach(), value, spent, "solved" if value < MATCHED else stopped)
