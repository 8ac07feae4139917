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
from attacks.invert.matching.long_memory import long_lbfgs
from attacks.invert.matching.objective import Residual, noise_std, residual
from attacks.invert.matching.settle import settle
from attacks.invert.matching.spectral import descend, noise_levels, sharpen
from attacks.invert.practice.effort import mixes
from defenses import Release
from defenses.gradients import flat
from defenses.options import option

COARSE = 0.03
"""First noise level, relative to the norm of the release."""
NEGLIGIBLE = 1e-4
"""Noise below this share of the release's norm, per coordinate, counts as none."""
SPECTRAL = 0.4
"""Share of the evaluations spent in whitened coordinates when there is no noise."""
SPECTRAL_OF_BATCH, EDGES = 0.6, (1.0, 0.1, 0.01)
"""The same for the images of a batch, and what total variation weighs in the rest, in turn, as
shares of its weight (train images)."""
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
    edges fit photographs better. A batch's images hide behind one another: their descents remember
    more (`long_lbfgs`), and total variation is minimised in whitened coordinates too.
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
        levels = noise_levels(COARSE * size, std)
        edges = self.tv if std <= NEGLIGIBLE * size else None
        total = threat.allowed(self.iterations)
        if mixes(threat):
            found = _of_batch(compare, prior, code, levels, total, edges, clock)
        else:
            part = SPECTRAL if threat.local is None else SPECTRAL_OF_STEPS
            found = _of_one(compare, prior, code, levels, total, part, edges, clock)
        images, value = settle(compare, found.point, prior, std)
        spent, stopped = found.evaluations, found.stopped
        return Guess(images.float().cpu(), labels, value, "bayes", spent, stopped)


def _of_one(
    compare: Residual,
    prior: SpectralPrior,
    code: Tensor,
    levels: list[float],
    total: int,
    part: float,
    edges: float | None,
    clock: Clock,
) -> Minimum:
    """The image, or those of several local steps: in whitened coordinates, then over pixels.

    Args:
        compare: see `descend`, as the next three.
        prior: over images.
        code: to start from.
        levels: of the noise.
        total: evaluations.
        part: share of them in whitened coordinates.
        edges: weight of the total variation over pixels; None: the release has noise, and all
            evaluations are in whitened coordinates.
        clock: of the attack.
    """
    share = total if edges is None else max(1, int(part * total))
    found = descend(compare, prior, code, levels, evaluations=share, clock=clock)
    images, spent = prior.decode(found.point).clamp(0, 1), found.evaluations
    if edges is not None and found.stopped != "time":
        found = _pixels(compare, images, edges, total - spent, clock)
        images, spent = found.point, spent + found.evaluations
    return Minimum(images, found.value, spent, found.stopped)


def _of_batch(
    compare: Residual,
    prior: SpectralPrior,
    code: Tensor,
    levels: list[float],
    total: int,
    edges: float | None,
    clock: Clock,
) -> Minimum:
    """The images of a batch, in whitened coordinates to the end; see `_of_one`."""
    share = total if edges is None else max(1, int(SPECTRAL_OF_BATCH * total))
    found = descend(
        compare, prior, code, levels, evaluations=share, clock=clock, minimise=long_lbfgs
    )
    spent = found.evaluations
    if edges is not None and found.stopped != "time":
        weights = [edges * share for share in EDGES]
        left = total - spent
        found = sharpen(compare, prior, found.point, weights, evaluations=left, clock=clock)
        spent += found.evaluations
    return Minimum(prior.decode(found.point).clamp(0, 1), found.value, spent, found.stopped)


def _pixels(
    compare: Residual, images: Tensor, tv: float, evaluations: int, clock: Clock
) -> Minimum:
    """Relative misfit plus total variation in the box, at ten times the weight first."""
    spent = 0
    for weight, until in ((10 * tv, evaluations // 3), (tv, evaluations)):

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
