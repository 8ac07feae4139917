"""The one rule of every optimisation attack: replay(G(x)) should look like the release."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

import defenses
from attacks.invert.contract import Loss, Threat
from attacks.invert.matching.image_prior import SpectralPrior
from attacks.invert.matching.meter import spend
from attacks.invert.matching.sent import Sent
from defenses import BadInput, Release, preprocessing, stream
from defenses.eager import eager
from defenses.errors import one_line
from defenses.gradients import flat
from defenses.randomness import seeded
from victims.gradients import LocalSteps
from victims.gradients.batch_norm import watch

Residual = Callable[[Tensor], tuple[Tensor, Tensor]]
"""images (B, C, H, W) -> (explained (P,), observed (P,)), differentiable in the images."""

RELATIVE_FLOOR = 1e-5
"""Misfit per coordinate, relative to the release's norm, that float32 arithmetic leaves anyway."""

EXPLAINED = 1e-2
"""A noiseless release counts as explained below this relative misfit: past it, which image is
likelier says more than which one fits closer, for the problem is ill-conditioned."""


def candidate_gradients(
    model: nn.Module, loss: Loss, images: Tensor, labels: Tensor, *, differentiable: bool
) -> dict[str, Tensor]:
    """Per-example gradients of candidates, name -> (B, *shape), as in `victims`.

    A loop over examples: their gradients are differentiated again with respect to the images,
    where vmap's grouped convolutions are slower on a CPU.
    """
    spend(len(images))
    named = [(k, p) for k, p in model.named_parameters() if p.requires_grad]
    with eager(model):
        rows = [
            torch.autograd.grad(
                loss(model(image[None].clone()), label[None]) + preprocessing.take_penalty(model),
                [p for _, p in named],
                create_graph=differentiable,
                allow_unused=True,
                materialize_grads=True,
            )
            for image, label in zip(images, labels, strict=True)
        ]
    columns = zip(*rows, strict=True)
    return {k: torch.stack(column) for (k, _), column in zip(named, columns, strict=True)}


def contributions(
    model: nn.Module,
    loss: Loss,
    images: Tensor,
    labels: Tensor,
    threat: Threat,
    *,
    differentiable: bool,
) -> dict[str, Tensor]:
    """What candidates hand to the defense: a gradient each, or the one difference of their client.

    Args:
        model: logits from images; left as it is.
        loss: of logits and labels.
        images: (B, C, H, W).
        labels: (B,) int64.
        threat: ``local`` is used.
        differentiable: whether it is to be differentiated by the images.

    Returns:
        name -> (B, *shape), or (1, *shape) after local steps.
    """
    if threat.local is None:
        return candidate_gradients(model, loss, images, labels, differentiable=differentiable)
    spend(len(images))
    return threat.local.difference(model, loss, images, labels, differentiable=differentiable)


def refuse_single_derivatives(
    model: nn.Module, loss: Loss, image_shape: tuple[int, int, int], name: str
) -> None:
    """Try on one image what every optimisation attack needs: second derivatives in float64.

    Args:
        model: logits from images; left as it is.
        loss: of logits and labels.
        image_shape: (C, H, W).
        name: of the model, for the message.

    Raises:
        BadInput: the model has none, or works in its own precision alone.
    """
    like = next(model.parameters())
    draw = stream(0, "derivatives")
    image = torch.rand(1, *image_shape, generator=draw, dtype=torch.float64).to(like.device)
    label = torch.zeros(1, dtype=torch.int64, device=like.device)
    try:
        working = copy.deepcopy(model).double()
        with seeded(draw):
            image.requires_grad_()
            grads = candidate_gradients(working, loss, image, label, differentiable=True)
            total = torch.stack([g.square().sum() for g in grads.values()]).sum()
            torch.autograd.grad(total, image)
    except Exception as error:  # a model of the user's own may say anything
        said = f"{type(error).__name__}: {one_line(error, 200)}"
        raise BadInput(
            f"model {name!r} cannot be attacked, for its gradient in float64 has no derivative "
            f"by the image: {said}"
        ) from error


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


class Fit(NamedTuple):
    """How much of a release images explain.

    Attributes:
        left: sum of squares that they do not explain.
        total: sum of squares that was observed.
        seen: coordinates that were observed.
    """

    left: float
    total: float
    seen: int

    @classmethod
    def of(cls, compare: Residual, images: Tensor) -> Fit:
        """Of images (B, C, H, W) of the precision and device of `residual`; one gradient each."""
        explained, observed = (t.detach() for t in compare(images.detach()))
        left, total = (explained - observed).square().sum(), observed.square().sum()
        return cls(float(left), float(total), int((observed != 0).sum()))

    def is_explained(self, std: float) -> bool:
        """Whether what is left is no more than the noise, or `EXPLAINED` of a noiseless release."""
        return self.left <= 1.1 * self.seen * std**2 + EXPLAINED**2 * self.total

    @property
    def share(self) -> float:
        """The share of what was observed, in squares, that is left; 0 for all explained."""
        return self.left / max(self.total, 1e-300)


def is_explained(compare: Residual, images: Tensor, std: float) -> bool:
    """See `Fit.is_explained`."""
    return Fit.of(compare, images).is_explained(std)


def misfit_share(compare: Residual, images: Tensor) -> float:
    """The share of what was observed, in squares, that the images do not explain; 0 for all of it.

    Args:
        compare: see `residual`.
        images: (B, C, H, W) of its precision and device.
    """
    return Fit.of(compare, images).share


def require(reason: str, name: str) -> None:
    """Raise `BadInput` when an attack refuses."""
    if reason:
        raise BadInput(f"attack {name!r} does not apply: {reason}")
