"""The image that a first linear layer was fed with, as far as the release tells it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.invert.contract import Threat
from attacks.invert.matching.clock import Clock
from attacks.invert.matching.fit import Fit
from attacks.invert.matching.image_prior import SpectralPrior
from attacks.invert.matching.layers import Fed
from attacks.invert.matching.lbfgs import lbfgs
from attacks.invert.matching.meter import spend
from attacks.invert.matching.objective import Residual, support
from attacks.invert.matching.rank_one import complete
from defenses import Release

LENGTHS = 30
"""Evaluations of the image's length, where the bias does not tell it."""
ONE = torch.ones(())
GREY = 1 / 255
"""No pixel is held to be known better than this while others are filled in."""


@dataclass(frozen=True)
class Told:
    """What a layer was fed, as far as its outer product tells it.

    Attributes:
        fed: (D,) float64; a multiple of it where ``scaled`` is False.
        precision: (D,) how many times the noise's own precision each value is known with; 0 where
            it is not told.
        scaled: whether its length is known.
    """

    fed: Tensor
    precision: Tensor
    scaled: bool

    def pixels(self, fed_by: Fed, mean: Tensor, length: Tensor = ONE) -> tuple[Tensor, Tensor]:
        """Pixels of ``length`` times what is told, and their precision, both (1, C, H, W).

        Pixels that are not told are the mean's (C, H, W).
        """
        pixels = (length * self.fed - fed_by.offset) / fed_by.scale
        precision = self.precision * (fed_by.scale / float(length.detach())) ** 2
        shape = (1, *mean.shape)
        told = torch.where(precision > 0, pixels, mean.flatten()).reshape(shape)
        return told, precision.reshape(shape)


def told_by(fed_by: Fed, release: Release, threat: Threat, images: Tensor) -> Told:
    """The outer product of a first linear layer, completed; without a bias of likely length."""
    weight, bias = (release.update[name].double() for name in (fed_by.weight, fed_by.bias))
    shown = support(release, threat)
    matrix = torch.cat([weight, bias[:, None]], 1)
    seen = torch.cat([shown[fed_by.weight], shown[fed_by.bias][:, None]], 1)
    scaled = bool((matrix * seen)[:, -1].any())
    power = (matrix.square() * seen).sum(0)
    rows, fed, known = complete(matrix, seen, -1 if scaled else int(power.argmax()))
    precision = ((rows.square() @ seen.to(rows)) * known)[:-1]
    fed = fed[:-1]
    if not scaled:
        typical = (fed_by.offset + fed_by.scale * images.double().flatten(1)).square().mean(0)
        on = precision > 0
        length = (typical[on].sum() / fed[on].square().sum().clamp(min=1e-300)).sqrt()
        fed, precision = fed * length, precision / length**2
    return Told(fed, precision, scaled)


def settle_length(
    told: Told,
    fed_by: Fed,
    labels: Tensor,
    threat: Threat,
    mean: Tensor,
    explain: Callable[[Tensor], Residual],
) -> tuple[Tensor, Told, int]:
    """The label, sign and length that explain all of the release best, and evaluations spent.

    A mask or noise may hide the label from the last layer; what is told of the image shows it.
    """
    known = [labels] if threat.labels is not None else []
    every = known or [labels, *(torch.tensor([c]) for c in range(threat.classes) if c != labels)]
    choices = [(y, s) for y in every for s in ((1.0,) if told.scaled else (1.0, -1.0))]
    choices = choices[: threat.allowed(len(choices))]
    if len(choices) > 1:
        left = [Fit.of(explain(y), told.pixels(fed_by, mean, s * ONE)[0]).share for y, s in choices]
        labels, sign = choices[left.index(min(left))]
    else:
        sign = 1.0
    spent = len(choices)
    allowed = threat.allowed(spent + LENGTHS) - spent
    length = sign * ONE.to(mean)
    if not told.scaled and allowed > 0:
        compare = explain(labels)

        def misfit(stretch: Tensor) -> Tensor:
            image, _ = told.pixels(fed_by, mean, sign * stretch.exp())
            explained, observed = compare(image)
            return (explained - observed).square().sum() / observed.square().sum()

        zero = torch.zeros_like(length)
        found = lbfgs(misfit, zero, evaluations=allowed, clock=threat.clock())
        length, spent = sign * found.point.exp(), spent + found.evaluations
    return labels, Told(told.fed * length, told.precision / length**2, True), spent


def likeliest(
    pixels: Tensor, precision: Tensor, prior: SpectralPrior, evaluations: int
) -> tuple[Tensor, int]:
    """The image that is likeliest where pixels are known with a precision each.

    Args:
        pixels: (1, C, H, W), as told.
        precision: (1, C, H, W), 1 / variance; 0 where a pixel is not told.
        prior: over images.
        evaluations: at most so many.

    Returns:
        (1, C, H, W), and the evaluations spent.
    """
    weight = precision.clamp(max=GREY**-2)

    def objective(code: Tensor) -> Tensor:
        spend(1)
        return (weight * (prior.decode(code) - pixels).square()).sum() + code.square().sum()

    found = lbfgs(objective, torch.zeros_like(pixels), evaluations=evaluations, clock=Clock())
    return prior.decode(found.point), found.evaluations
