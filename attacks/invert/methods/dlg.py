"""Deep Leakage from Gradients, with the numerics that make it work."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from attacks.invert.contract import Guess, Inversion, Loss, Threat, registry
from attacks.invert.matching.clock import Clock
from attacks.invert.matching.fit import is_explained
from attacks.invert.matching.image_prior import SpectralPrior, total_variation
from attacks.invert.matching.labels import recover_labels
from attacks.invert.matching.lbfgs import Minimum, lbfgs
from attacks.invert.matching.objective import Residual, noise_std, residual
from attacks.invert.matching.settle import settle
from defenses import Release
from defenses.options import option

STAGES = 6
FALL = 0.3


@registry.register("dlg")
@dataclass(frozen=True)
class DLG(Inversion):
    """L-BFGS on ||replay(G(x)) - r||^2 / ||r||^2 + tv * TV(x) (Zhu et al. 2019).

    Float64, a small start around mid-grey, a box, and a TV weight that falls from stage to
    stage down to ``tv``: the smooth problem leads the sharp one past local minima. A start
    that leaves the release unexplained is followed by another while time lasts.
    """

    iterations: int = option(500, "gradient evaluations per start", low=1)
    restarts: int = option(2, "starts at most; the first that explains the release ends it", low=1)
    tv: float = option(1e-5, "final weight of the total variation", low=0)

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
        tries: list[tuple[float, Tensor]] = []
        spent = 0
        total = threat.allowed(self.iterations * self.restarts)
        for _ in range(self.restarts):
            share = min(self.iterations, total - spent)
            found = self._descend(compare, threat, prior, share, clock, generator)
            images = found.point.clamp(0, 1)
            images, value = settle(compare, images, prior, std)
            tries.append((value, images))
            spent += found.evaluations
            if found.stopped == "time" or is_explained(compare, images, std):
                break
            if spent >= total:
                break
        value, images = min(tries, key=lambda t: t[0])
        return Guess(images.float().cpu(), labels, value, "dlg", spent, found.stopped)

    def _descend(
        self,
        compare: Residual,
        threat: Threat,
        prior: SpectralPrior,
        evaluations: int,
        clock: Clock,
        generator: torch.Generator,
    ) -> Minimum:
        shape = (threat.batch_size, *threat.image_shape)
        noise = torch.randn(shape, generator=generator, dtype=torch.float64)
        point = (0.5 + 0.01 * noise).to(prior.mean.device)
        spent = 0
        for stage in reversed(range(STAGES)):
            weight = self.tv / FALL**stage if self.tv else 1e-2 * FALL ** (STAGES - stage)
            weight = 0.0 if self.tv == 0 and stage == 0 else weight

            def objective(images: Tensor, weight: float = weight) -> Tensor:
                explained, observed = compare(images)
                misfit = (explained - observed).square().sum() / observed.square().sum()
                return misfit + weight * total_variation(images) if weight else misfit

            share = evaluations // STAGES if stage else evaluations - spent
            found = lbfgs(objective, point, evaluations=share, clock=clock, box=(0.0, 1.0))
            point, spent = found.point, spent + found.evaluations
            if found.stopped == "time":
                break
        return Minimum(point, found.value, spent, found.stopped)
