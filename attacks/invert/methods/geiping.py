"""Inverting Gradients: cosine distance, total variation, Adam on the gradient's sign."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from attacks.invert.contract import Guess, Inversion, Loss, Threat, registry
from attacks.invert.matching.image_prior import SpectralPrior, total_variation
from attacks.invert.matching.labels import recover_labels
from attacks.invert.matching.objective import noise_std, residual
from attacks.invert.matching.settle import settle
from defenses import Release
from defenses.options import option

LEARNING_RATE = 0.1
MILESTONES = (3 / 8, 5 / 8, 7 / 8)


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
        total, time = threat.allowed(self.iterations), clock.left
        labels = recover_labels(model, loss, release, threat)
        compare = residual(model, loss, release, threat, labels, dtype=torch.float32)
        device = next(model.parameters()).device
        shape = (threat.batch_size, *threat.image_shape)
        images = (0.5 + 0.1 * torch.randn(shape, generator=generator)).clamp(0, 1).to(device)
        images.requires_grad_()
        adam = torch.optim.Adam([images], lr=LEARNING_RATE)
        best = (math.inf, images.detach().clone())
        stopped = "iterations"
        done = 0
        for step in range(1, total + 1):
            if clock.over:
                stopped = "time"
                break
            done = step
            elapsed = 1 - clock.left / time if clock.guards else 0.0
            progress = max(done / total, elapsed)
            adam.param_groups[0]["lr"] = LEARNING_RATE * 0.1 ** sum(
                progress > m for m in MILESTONES
            )
            explained, observed = compare(images)
            value = 1 - F.cosine_similarity(explained, observed, dim=0)
            value = value + self.tv * total_variation(images)
            (slope,) = torch.autograd.grad(value, images)
            if not bool(torch.isfinite(slope).all()):
                break
            if (now := float(value.detach())) < best[0]:
                best = (now, images.detach().clone())
            images.grad = slope.sign()
            adam.step()
            images.data.clamp_(0, 1)
        prior = SpectralPrior.fit(threat.auxiliary_images.to(device))
        precise = residual(model, loss, release, threat, labels)
        found, score = settle(precise, best[1], prior, noise_std(release, threat))
        return Guess(found.cpu(), labels, score, "geiping", done, stopped)
