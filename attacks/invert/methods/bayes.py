"""Maximum a posteriori inversion: likelihood of the release times a prior over images."""

from __future__ import annotations

import math
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
from defenses import Release
from defenses.gradients import flat
from defenses.registry import option

COARSE = 0.03
"""First noise level, relative to the norm of the release."""
NEGLIGIBLE = 1e-4
"""Noise below this share of the release's norm, per coordinate, counts as none."""
SPECTRAL = 0.4
"""Share of the evaluations spent in whitened coordinates when there is no noise."""
BOX_STD = 0.01
"""How far outside [0, 1] a pixel may lie, as the std of a Gaussian wall."""


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
        share = int(SPECTRAL * total) if noiseless else total
        found = self._spectral(compare, prior, code, levels, max(1, share), clock)
        images, spent = prior.decode(found.point).clamp(0, 1), found.evaluations
        if noiseless and found.stopped != "time":
            found = self._pixels(compare, images, total - spent, clock)
            images, spent = found.point, spent + found.evaluations
        images, value = settle(compare, images, prior, std)
        return Guess(images.float().cpu(), labels, value, "bayes", spent, found.stopped)

    def _spectral(
        self,
        compare: Residual,
        prior: SpectralPrior,
        code: Tensor,
        levels: list[float],
        evaluations: int,
        clock: Clock,
    ) -> Minimum:
        """MAP in whitened coordinates, one descent per noise level."""
        spent = 0
        for index, level in enumerate(levels):

            def objective(code: Tensor, level: float = level) -> Tensor:
                images = prior.decode(code)
                explained, observed = compare(images)
                misfit = (explained - observed).square().sum() / level**2
                wall = (images - images.clamp(0, 1)).square().sum() / BOX_STD**2
                return (misfit + wall + code.square().sum()) / 2

            share = max(1, (evaluations - spent) // (len(levels) - index))
            found = lbfgs(objective, code, evaluations=share, clock=clock)
            code, spent = found.point, spent + found.evaluations
            if found.stopped == "time" or spent >= evaluations:
                break
        return Minimum(code, found.value, spent, found.stopped)

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


def noise_levels(coarse: float, std: float) -> list[float]:
    """Levels from ``coarse`` down to ``std``, about half a decade apart, ending at ``std``."""
    if coarse <= std:
        return [std]
    steps = max(1, math.ceil(2 * math.log10(coarse / std)))
    return [coarse * (std / coarse) ** (k / steps) for k in range(steps + 1)]
