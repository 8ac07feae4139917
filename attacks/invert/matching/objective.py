"""The one rule of every optimisation attack: replay(G(x)) should look like the release."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

import defenses
from attacks.invert.contract import Loss, Threat
from attacks.invert.matching.gradients import contributions
from attacks.invert.matching.image_prior import SpectralPrior
from attacks.invert.matching.sent import Sent
from defenses import BadInput, Release
from defenses.gradients import flat
from victims.gradients import LocalSteps
from victims.gradients.batch_norm import watch

Residual = Callable[[Tensor], tuple[Tensor, Tensor]]
"""images (B, C, H, W) -> (explained (P,), observed (P,)), differentiable in the images."""

RELATIVE_FLOOR = 1e-5
"""Misfit per coordinate, relative to the release's norm, that float32 arithmetic leaves anyway."""


EXPLAINED = 1e-2
"""A noiseless release counts as explained below this relative misfit: past it, which image is
likelier says more than which one fits closer, for the problem is ill-conditioned."""


def replay(grads: Mapping[str, Tensor], release: Release, threat: Threat) -> dict[str, Tensor]:
    """The update that candidates would have caused: the defense's replay, or the mean if naive."""
    if threat.adaptive:
        return threat.defense.replay(grads, release)
    return defenses.get("none").replay(grads, release)


def residual(
    model: nn.Module,
    loss: Loss,
    release: Release,
    threat: Threat,
    labels: Tensor,
    dtype: torch.dtype = torch.float64,
) -> Residual:
    """What candidates explain beside what was observed, all parameters flattened together.

    Where a client sends the statistics of its batch normalisation too, they come last (Yin et al.
    2021, equation 8), see `Sent`.
    Works on a copy of the model in ``dtype``: L-BFGS stalls early in float32.

    Raises:
        BadInput: the release says that it is of other local steps than the threat has.
    """
    told = LocalSteps.among(release.public)
    if told != threat.local:
        raise BadInput(f"the release is of {told or 'a gradient'}, the threat of {threat.local}")
    working = copy.deepcopy(model).to(dtype)
    update = {k: v.detach().to(dtype) for k, v in release.update.items()}
    cast = Release(update, release.public, release.wire_bytes)
    device = next(working.parameters()).device
    labels = labels.to(device)
    observed = flat(update)
    sent = Sent.of(release.statistics, observed)

    def compare(images: Tensor) -> tuple[Tensor, Tensor]:
        with watch(working) as fed:
            grads = contributions(working, loss, images, labels, threat, differentiable=True)
        replayed = replay(grads, cast, threat)
        explained = flat({k: replayed[k] for k in update})
        if sent is None:
            return explained, observed
        return torch.cat([explained, sent.scaled(fed)]), torch.cat([observed, sent.observed])

    return compare


def support(release: Release, threat: Threat) -> dict[str, Tensor]:
    """Masks of the coordinates that the release speaks about: where a replay of ones is not 0."""
    ones = {k: torch.ones_like(v)[None] for k, v in release.update.items()}
    return {k: v != 0 for k, v in replay(ones, release, threat).items()}


def noise_std(release: Release, threat: Threat) -> float:
    """The noise per coordinate that this adversary reckons with, never below arithmetic's own."""
    floor = RELATIVE_FLOOR * float(flat(release.update).double().norm())
    known = threat.defense.noise(release) if threat.adaptive else 0.0
    return max(known, floor, 1e-12)


def energy(compare: Residual, images: Tensor, prior: SpectralPrior, std: float) -> float:
    """-log p(release | images) - log p(images) up to a constant: how much the attacker believes it.

    Gaussian likelihood at the noise the adversary reckons with (but at least `EXPLAINED` of the
    release's root mean square), Gaussian image prior from auxiliary data (Balunovic et al. 2022).
    """
    explained, observed = compare(images.detach())
    floor = EXPLAINED * float(observed.norm()) / math.sqrt(max(1, int((observed != 0).sum())))
    misfit = float((explained - observed).detach().square().sum()) / (2 * max(std, floor) ** 2)
    return misfit + float(prior.energy(images.detach().clamp(0, 1)))
