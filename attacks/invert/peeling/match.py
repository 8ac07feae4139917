"""The image whose features are the known ones, sought in the prior's whitened coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.invert.matching.clock import Clock
from attacks.invert.matching.image_prior import SpectralPrior
from attacks.invert.matching.lbfgs import lbfgs
from attacks.invert.matching.meter import spend
from attacks.invert.peeling.regression import Features

MATCHED = 1e-7
"""Relative squared misfit below which features count as matched."""
NEAR = 5e-2
"""Below this, pixels are the quicker coordinates."""
STAGES = ((3e-3, 0.15), (1e-4, 0.15), (0.0, 1.0))
"""Weight of the prior, and share of the evaluations that are left for whitened coordinates."""
TRIAL = 12
"""Evaluations after which pixels are given up, unless they have come near."""
SPECTRAL = 0.7
"""Share of the evaluations that whitened coordinates may take."""
MEMORY = 50
RICH = 2
"""Known values per pixel from which on the prior is not needed in the end."""
POOR = ((1e-2, 0.25), (1e-3, 0.35), (1e-4, 1.0))
"""`STAGES` where there are fewer: what features leave open, say contrast, drifts without it."""


@dataclass(frozen=True)
class Match:
    """An image and how well its features are the known ones.

    Attributes:
        image: (1, C, H, W) in [0, 1], float64.
        misfit: squared distance of its features from the known ones over that of the mean image.
        evaluations: gradients that were spent.
        stopped: ``solved`` when the features are matched, else ``iterations`` or ``time``.
    """

    image: Tensor
    misfit: float
    evaluations: int
    stopped: str


def are_rich(known: list[Tensor], image: Tensor) -> bool:
    """Whether values of one image are so many that they leave no other image."""
    return sum(k.numel() for k in known) >= RICH * image.numel()


def match(
    features: Features,
    known: list[Tensor],
    prior: SpectralPrior,
    *,
    evaluations: int,
    clock: Clock,
    start: Tensor | None = None,
) -> Match:
    """Minimise the distance of an image's features from the known ones.

    Deep features are matched quickest over pixels once an image is near, or at once where the
    layers between are few; where they are many only whitened coordinates lead there, and only if
    the first steps lean on the prior (images far from its mean are not found otherwise).

    Args:
        features: of the model.
        known: their values for the private image, each (1, *shape) float64.
        prior: over images.
        evaluations: at most so many gradients.
        clock: ends it early.
        start: (1, C, H, W); None: the prior's mean.
    """
    begin = prior.mean[None] if start is None else start.double()
    with torch.no_grad():
        far = [
            (f.double() - k).square().sum()
            for f, k in zip(features(prior.mean[None]), known, strict=True)
        ]
    weights = [1 / max(float(d), 1e-30) / len(far) for d in far]

    def misfit(images: Tensor) -> Tensor:
        spend(len(images))
        given = features(images)
        parts = zip(given, known, weights, strict=True)
        return torch.stack([w * (f.double() - k).square().sum() for f, k, w in parts]).sum()

    spent, stopped = 0, "iterations"

    def pixels(images: Tensor, most: int) -> tuple[Tensor, float]:
        nonlocal spent, stopped
        found = lbfgs(
            misfit,
            images.clamp(0, 1),
            evaluations=min(most, evaluations - spent),
            clock=clock,
            box=(0.0, 1.0),
            memory=MEMORY,
            enough=MATCHED,
        )
        spent, stopped = spent + found.evaluations, found.stopped
        return found.point, found.value

    rich = are_rich(known, begin)
    images, value = begin.clamp(0, 1), float("inf")
    if rich:
        images, value = pixels(begin, TRIAL)
    if value > NEAR:
        code = prior.encode(begin)
        left = max(1, int(SPECTRAL * (evaluations - spent)))
        for weight, share in STAGES if rich else POOR:

            def objective(code: Tensor, weight: float = weight) -> Tensor:
                value = misfit(prior.decode(code))
                return value + weight * code.square().mean() if weight else value

            allowed = min(max(1, int(share * left)), evaluations - spent)
            if allowed < 1 or clock.over:
                break
            found = lbfgs(
                objective,
                code,
                evaluations=allowed,
                clock=clock,
                memory=MEMORY,
                enough=NEAR if rich else MATCHED,
            )
            code, value, stopped = found.point, found.value, found.stopped
            spent, left = spent + found.evaluations, left - found.evaluations
            if value < NEAR and rich:
                break
        images = prior.decode(code).clamp(0, 1)
    if rich and value > MATCHED and spent < evaluations and not clock.over:
        images, value = pixels(images, evaluations - spent)
    return Match(images.detach(), value, spent, "solved" if value < MATCHED else stopped)
