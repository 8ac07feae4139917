"""The closed form for a first linear layer: its weight gradient is an outer product."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from attacks.invert.contract import Guess, Inversion, Loss, Threat, registry, require
from attacks.invert.matching.first_layer import likeliest, settle_length, told_by
from attacks.invert.matching.image_prior import SpectralPrior
from attacks.invert.matching.labels import recover_labels
from attacks.invert.matching.layers import fed_with_pixels
from attacks.invert.matching.objective import energy, noise_std, residual
from defenses import Release

EVALUATIONS = 60
"""Of the likeliest image where the release leaves pixels open."""


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
            told = told_by(fed_by, release, threat, images)
            if noise or not bool((told.precision > 0).all()):
                explain = partial(residual, model, loss, release, threat)
                labels, told, spent = settle_length(
                    told, fed_by, labels, threat, prior.mean, explain
                )
            pixels, precision = told.pixels(fed_by, prior.mean)
            tried = [pixels]
            left = threat.allowed(spent + EVALUATIONS) - spent
            if left > 0 and (noise or not bool((precision > 0).all())):
                filled, more = likeliest(pixels, precision / std**2, prior, left)
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
