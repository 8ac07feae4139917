"""Inverting Gradients: cosine distance, total variation, Adam on the gradient's sign."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attacks.invert.contract import Guess, Inversion, Loss, Threat, registry
from attacks.invert.matching.image_prior import SpectralPrior, total_variation
from attacks.invert.matching.labels import recover_labels
from attacks.invert.matching.objective import noise_std, residual
from attacks.invert.matching.settle import settle
from attacks.invert.matching.signs import walk
from defenses import Release
from defenses.options import option


@registry.register("geiping")
@dataclass(frozen=True)
class Geiping(Inversion):
    """1 - cos(replay(G(x)), r) + tv * TV(x), by Adam on sign(gradient) (Geiping et al. 2020).

    Learning rate 0.1, a tenth of it after 3/8, 5/8 and 7/8 of the run, pixels kept in [0, 1].
    The cosine ignores the release's length, so unknown clipping does not hurt it, and it needs
    no second derivative of smooth activations: it is the attack for ReLU networks. When time
    is guarded and short the schedule follows the clock.
    """

    iterations: int = option(2000, "optimiser steps", low=1)
    tv: float = option(1e-2, "weight of the total variation", low=0)

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
        clock = threat.clock()
        total = threat.allowed(self.iterations)
        labels = recover_labels(model, loss, release, threat)
        compare = residual(model, loss, release, threat, labels, dtype=torch.float32)
        device = next(model.parameters()).device
        shape = (threat.batch_size, *threat.image_shape)
        images = (0.5 + 0.1 * torch.randn(shape, generator=generator)).clamp(0, 1).to(device)

        def objective(images: Tensor) -> Tensor:
            explained, observed = compare(images)
            value = 1 - F.cosine_similarity(explained, observed, dim=0)
            return value + self.tv * total_variation(images)

        walked = walk(objective, images, steps=total, clock=clock)
        prior = SpectralPrior.fit(threat.auxiliary_images.to(device))
        precise = residual(model, loss, release, threat, labels)
        found, score = settle(precise, walked.images, prior, noise_std(release, threat))
        return Guess(found.cpu(), labels, score, "geiping", walked.steps, walked.stopped)
