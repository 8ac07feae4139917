"""The guess made without looking: the mean of the adversary's own images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from attacks.invert.contract import Guess, Inversion, Loss, Threat, registry
from attacks.invert.matching.image_prior import SpectralPrior
from attacks.invert.matching.labels import recover_labels
from attacks.invert.matching.objective import energy, noise_std, residual
from defenses import Release


@registry.register("prior")
@dataclass(frozen=True)
class Prior(Inversion):
    """The auxiliary mean, whatever the release says.

    What an adversary falls back on when practice shows that the noise has drowned the image:
    an optimiser that fits noise does worse than this.
    """

    def reconstruct(
        self,
        model: nn.Module,
        loss: Loss,
        release: Release,
        threat: Threat,
        *,
        generator: torch.Generator,
    ) -> Guess:
        """See `Inversion.reconstruct`; deterministic."""
        device = next(model.parameters()).device
        auxiliary = threat.auxiliary_images.to(device)
        images = auxiliary.mean(0).expand(threat.batch_size, -1, -1, -1)
        labels = recover_labels(model, loss, release, threat)
        compare = residual(model, loss, release, threat, labels)
        prior = SpectralPrior.fit(auxiliary)
        value = energy(compare, images.double(), prior, noise_std(release, threat))
        return Guess(images.clone().cpu(), labels, value, "prior", 1, "solved")
