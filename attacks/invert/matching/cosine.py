"""What attacks share that compare a release by its direction and walk by signs of the slope."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attacks.invert.contract import Guess, Inversion, Loss, Threat
from attacks.invert.matching.image_prior import SpectralPrior, total_variation
from attacks.invert.matching.labels import recover_labels
from attacks.invert.matching.objective import noise_std, residual
from attacks.invert.matching.settle import settle
from attacks.invert.matching.signs import walk
from defenses import Release
from defenses.options import option


class Compared(NamedTuple):
    """A release as an attack explains it.

    Attributes:
        compare: images (B, C, H, W) -> (explained, observed), (P,) float32 each.
        others: what the explanation depends on besides, see `attacks.invert.matching.signs.walk`.
    """

    compare: Callable[[Tensor], tuple[Tensor, Tensor]]
    others: list[tuple[Tensor, float]]


@dataclass(frozen=True)
class Cosine(Inversion):
    """1 - cos(explained, r) + tv * TV(x), by Adam on sign(gradient) (Geiping et al. 2020)."""

    iterations: int = option(2000, "optimiser steps", low=1)
    tv: float = option(1e-2, "weight of the total variation", low=0)

    @abstractmethod
    def compared(
        self, model: nn.Module, loss: Loss, release: Release, threat: Threat, labels: Tensor
    ) -> Compared:
        """The release beside what images of these labels explain of it."""

    def reconstruct(
        self,
        model: nn.Module,
        loss: Loss,
        release: Release,
        threat: Threat,
        *,
        generator: torch.Generator,
    ) -> Guess:
        """See `Inversion.reconstruct`."""
        clock, total = threat.clock(), threat.allowed(self.iterations)
        labels = recover_labels(model, loss, release, threat)
        compare, others = self.compared(model, loss, release, threat, labels)
        device = next(model.parameters()).device
        shape = (threat.batch_size, *threat.image_shape)
        images = (0.5 + 0.1 * torch.randn(shape, generator=generator)).clamp(0, 1).to(device)

        def objective(images: Tensor) -> Tensor:
            value = 1 - F.cosine_similarity(*compare(images), dim=0)
            return value + self.tv * total_variation(images)

        walked = walk(objective, images, steps=total, clock=clock, others=others)
        prior = SpectralPrior.fit(threat.auxiliary_images.to(device))
        precise = residual(model, loss, release, threat, labels)
        found, score = settle(precise, walked.images, prior, noise_std(release, threat))
        return Guess(found.cpu(), labels, score, self.name, walked.steps, walked.stopped)
