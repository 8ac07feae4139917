"""The closed form for a first linear layer: its weight gradient is an outer product."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from attacks.invert.contract import Guess, Inversion, Loss, Threat, registry
from attacks.invert.matching.clock import Clock
from attacks.invert.matching.image_prior import SpectralPrior
from attacks.invert.matching.labels import recover_labels
from attacks.invert.matching.layers import Fed, fed_with_pixels
from attacks.invert.matching.lbfgs import lbfgs
from attacks.invert.matching.meter import spend
from attacks.invert.matching.objective import (
    Residual,
    energy,
    misfit_share,
    noise_std,
    require,
    residual,
    support,
)
from attacks.invert.matching.rank_one import complete
from defenses import Release

LENGTHS = 30
"""Evaluations of the image's length, where the bias does not tell it."""
EVALUATIONS = 60
"""Of the likeliest image where the release leaves pixels open."""
ONE = torch.ones(())
GREY = 1 / 255
"""No pixel is held to be known better than this while others are filled in."""


@registry.register("analytic")
@dataclass(frozen=True)
class Analytic(Inversion):
    """x = dW[i] / db[i] for any row of a first linear layer with bias (Phong et al. 2018).

    Weight and bias gradient together are one outer product of the slopes at the layer's outputs
    and (x, 1), completed over the coordinates that the release shows: a pixel is told exactly as
    soon as seen entries lead from the bias to it. Where no entry of the bias is seen the length of
    the image is the one that explains the rest of the release best. Pixels that are not told, or
    told with noise, are the likeliest ones given those that are. The naive attack takes the row
    with the largest bias gradient as it is. Batch size 1.
    """

    def refusal(self, model: nn.Module, threat: Threat) -> str:
        """Needs a gradient, batch size 1 and a linear layer with bias fed by the pixels."""
        if threat.local is not None:
            return "it takes a gradient, not a weight difference after local steps"
        if threat.batch_size != 1:
            return f"it takes one image per batch, not {threat.batch_size}"
        if fed_with_pixels(model, threat.image_shape, threat.classes) is None:
            return "the model's first layer is not linear with a bias, or is not trained"
        return ""

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
        require(self.refusal(model, threat), "analytic")
        fed_by = fed_with_pixels(model, threat.image_shape, threat.classes)
        assert fed_by is not None
        images = threat.auxiliary_images.to(next(model.parameters()).device)
        prior = SpectralPrior.fit(images)
        labels = recover_labels(model, loss, release, threat)
        noise = threat.defense.noise(release) if threat.adaptive else 0.0
        std = noise_std(release, threat)
        spent = 0
        if threat.adaptive:
            told = _told(fed_by, release, threat, images)
            if noise or not bool((told.precision > 0).all()):
                explain = partial(residual, model, loss, release, threat)
                labels, told, spent = _settled(told, fed_by, labels, threat, prior.mean, explain)
            pixels, precision = told.pixels(fed_by, prior.mean)
            tried = [pixels]
            left = threat.allowed(spent + EVALUATIONS) - spent
            if left > 0 and (noise or not bool((precision > 0).all())):
                filled, more = _likeliest(pixels, precision / std**2, prior, left)
                spent += more
                if not noise:
                    filled = torch.where(precision > 0, pixels, filled)
                tried = [pixels, filled, prior.mean[None]] if noise else [filled]
        else:
            weight, bias = (release.update[n].double() for n in (fed_by.weight, fed_by.bias))
            row = bias.abs().argmax()
            pixels = (weight[row] / bias[row] - fed_by.offset) / fed_by.scale
            tried = [pixels.nan_to_num(0.5, 0.5, 0.5).reshape(1, *threat.image_shape)]
        tried = [image.clamp(0, 1) for image in tried]
        compare = residual(model, loss, release, threat, labels)
        values = [energy(compare, image, prior, std) for image in tried]
        best = tried[values.index(min(values))].float().cpu()
        return Guess(best, labels, min(values), "analytic", max(1, spent), "solved")


@dataclass(frozen=True)
class _Told:
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


def _told(fed_by: Fed, release: Release, threat: Threat, images: Tensor) -> _Told:
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
    return _Told(fed, precision, scaled)


def _settled(
    told: _Told,
    fed_by: Fed,
    labels: Tensor,
    threat: Threat,
    mean: Tensor,
    explain: Callable[[Tensor], Residual],
) -> tuple[Tensor, _Told, int]:
    """The label, sign and length that explain all of the release best, and evaluations spent.

    A mask or noise may hide the label from the last layer; what is told of the image shows it.
    """
    known = [labels] if threat.labels is not None else []
    every = known or [labels, *(torch.tensor([c]) for c in range(threat.classes) if c != labels)]
    choices = [(y, s) for y in every for s in ((1.0,) if told.scaled else (1.0, -1.0))]
    choices = choices[: threat.allowed(len(choices))]
    if len(choices) > 1:
        left = [misfit_share(explain(y), told.pixels(fed_by, mean, s * ONE)[0]) for y, s in choices]
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
    return labels, _Told(told.fed * length, told.precision / length**2, True), spent


def _likeliest(
    pixels: Tensor, precision: Tensor, prior: SpectralPrior, evaluations: int
) -> tuple[Tensor, int]:
    """The image that is likeliest where pixels are known with a precision each.

    Args:
        pixels: (1, C, H, W), as told.
        precision: likewise, 1 / variance; 0 where a pixel is not told.
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
