"""The image whose features are the known ones, sought in the prior's whitened coordinates."""

from __future__ import annotations

import math
from collections.abc import Callable
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
    search = _Search(features, known, prior, evaluations, clock)
    begin = prior.mean[None] if start is None else start.double()
    images, value, rich = begin.clamp(0, 1), math.inf, are_rich(known, begin)
    if rich:
        images, value = search.over_pixels(images, TRIAL)
    if value > NEAR:
        images, value = search.over_code(begin, rich=rich)
    if rich and value > MATCHED and not search.over:
        images, value = search.over_pixels(images, evaluations)
    stopped = "solved" if value < MATCHED else search.stopped
    return Match(images.detach(), value, search.spent, stopped)


@dataclass
class _Search:
    """What is sought, and what is left to seek it with.

    Attributes:
        features: of the model.
        known: their values for the private image.
        prior: over images.
        evaluations: at most so many gradients in all.
        clock: ends it early.
        spent: gradients so far.
        stopped: how the last descent ended.
    """

    features: Features
    known: list[Tensor]
    prior: SpectralPrior
    evaluations: int
    clock: Clock
    spent: int = 0
    stopped: str = "iterations"

    def __post_init__(self) -> None:
        with torch.no_grad():
            blank = self.features(self.prior.mean[None])
        far = [_distance(f, k) for f, k in zip(blank, self.known, strict=True)]
        self.weights = [1 / max(float(d), 1e-30) / len(far) for d in far]

    @property
    def over(self) -> bool:
        """Whether nothing is left."""
        return self.spent >= self.evaluations or self.clock.over

    def misfit(self, images: Tensor) -> Tensor:
        """How far the features of images are from the known ones; that of the mean image is 1."""
        spend(len(images))
        parts = zip(self.features(images), self.known, self.weights, strict=True)
        return torch.stack([w * _distance(f, k) for f, k, w in parts]).sum()

    def over_pixels(self, images: Tensor, most: int) -> tuple[Tensor, float]:
        """Descend over pixels, with so many evaluations at most; image and misfit."""
        return self._descend(self.misfit, images.clamp(0, 1), most, MATCHED, (0.0, 1.0))

    def over_code(self, images: Tensor, *, rich: bool) -> tuple[Tensor, float]:
        """Descend over whitened coordinates, the prior's weight falling; image and misfit."""
        code, value = self.prior.encode(images), math.inf
        left = max(1, int(SPECTRAL * (self.evaluations - self.spent)))
        for weight, share in STAGES if rich else POOR:

            def objective(code: Tensor, weight: float = weight) -> Tensor:
                value = self.misfit(self.prior.decode(code))
                return value + weight * code.square().mean() if weight else value

            if self.over:
                break
            before, enough = self.spent, NEAR if rich else MATCHED
            code, value = self._descend(objective, code, max(1, int(share * left)), enough)
            left -= self.spent - before
            if value < NEAR and rich:
                break
        return self.prior.decode(code).clamp(0, 1), value

    def _descend(
        self,
        objective: Callable[[Tensor], Tensor],
        start: Tensor,
        most: int,
        enough: float,
        box: tuple[float, float] | None = None,
    ) -> tuple[Tensor, float]:
        found = lbfgs(
            objective,
            start,
            evaluations=min(most, self.evaluations - self.spent),
            clock=self.clock,
            box=box,
            memory=MEMORY,
            enough=enough,
        )
        self.spent, self.stopped = self.spent + found.evaluations, found.stopped
        return found.point, found.value


def _distance(features: Tensor, known: Tensor) -> Tensor:
    return (features.double() - known).square().sum()
