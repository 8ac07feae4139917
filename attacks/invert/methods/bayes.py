"""Maximum a posteriori inversion: likelihood of the release times a prior over images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from attacks.invert.contract import Guess, Inversion, Loss, Threat, registry
from attacks.invert.matching.clock import Clock
from attacks.invert.matching.image_prior import SpectralPrior, total_variation
from attacks.invert.matching.labels import recover_labels
from attacks.invert.matching.lbfgs import Minimum, lbfgs
from attacks.invert.matching.objective import Residual, noise_std, residual
from attacks.invert.matching.settle import settle
from attacks.invert.matching.spectral import descend, noise_levels
from defenses import Release
from defenses.gradients import flat
from defenses.options import option

COARSE = 0.03
"""First noise level, relative to the norm of the release."""
NEGLIGIBLE = 1e-4
"""Noise below this share of the release's norm, per coordinate, counts as none."""
SPECTRAL = 0.4
"""Share of the evaluations spent in whitened coordinates when there is no noise."""
SPECTRAL_OF_STEPS = 0.9
"""The same for the images of several local steps, which a difference determines less well."""


@registry.register("bayes")
@dataclass(frozen=True)
class Bayes(Inversion):
    """argmax log p(r | x) + log p(x) (Balunovic et al. 2022), Gaussian noise and image prior.

    The prior is a colour and frequency spectrum measured on the adversary's own images, and
    L-BFGS walks in its whitened coordinates. The assumed noise falls from a coarse level to
    the true one (or to float32's, when the release has none), each level starting where the
    last one ended. A release without noise leaves details below the spectrum's reach: there
    the last 60% of the evaluations go on over pixels, in the box, with total variation, whose
    edges fit photographs better.
    """

    iterations: int = option(500, "gradient evaluations", low=1)
    tv: float = option(1e-4, "weight of the total variation, noiseless releases only", low=0)

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
        labels = recover_labels(model, loss, release, threat)
        compare = residual(model, loss, release, threat, labels)
        prior = SpectralPrior.fit(threat.auxiliary_images.to(next(model.parameters()).device))
        std = noise_std(release, threat)
        shape = (threat.batch_size, *threat.image_shape)
        draw = torch.randn(shape, generator=generator, dtype=torch.float64)
        code = (0.01 * draw).to(prior.mean.device)
        size = float(flat(release.update).double().norm())
        noiseless = std <= NEGLIGIBLE * size
        levels = noise_levels(COARSE * size, std)
        total = threat.allowed(self.iterations)
        part = SPECTRAL if threat.local is None else SPECTRAL_OF_STEPS
        share = int(part * total) if noiseless else total
        found = descend(compare, prior, code, levels, evaluations=max(1, share), clock=clock)
        images, spent = prior.decode(found.point).clamp(0, 1), found.evaluations
        if noiseless and found.stopped != "time":
            found = self._pixels(compare, images, total - spent, clock)
            images, spent = found.point, spent + found.evaluations
        images, value = settle(compare, images, prior, std)
        return Guess(images.float().cpu(), labels, value, "bayes", spent, found.stopped)

    def _pixels(self, compare: Residual, images: Tensor, evaluations: int, clock: Clock) -> Minimum:
        """Relative misfit plus total variation in the box, at ten times the weight first."""
        spent = 0
        for weight, until in ((10 * self.tv, evaluations // 3), (self.tv, evaluations)):

            def objective(images: Tensor, weight: float = weight) -> Tensor:
                explained, observed = compare(images)
                misfit = (explained - observed).square().sum() / observed.square().sum()
                return misfit + weight * total_variation(images)

            share = until - spent
            found = lbfgs(objective, images, evaluations=share, clock=clock, box=(0.0, 1.0))
            images, spent = found.point, spent + found.evaluations
            if found.stopped == "time":
                break
        return Minimum(images, found.value, spent, found.stopped)
