"""The closed form for a first linear layer: its weight gradient is an outer product."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from attacks.invert.contract import Guess, Inversion, Loss, Threat, registry
from attacks.invert.matching.image_prior import SpectralPrior
from attacks.invert.matching.labels import recover_labels
from attacks.invert.matching.layers import fed_with_pixels
from attacks.invert.matching.objective import energy, noise_std, require, residual, support
from defenses import Release


@registry.register("analytic")
@dataclass(frozen=True)
class Analytic(Inversion):
    """x = dW[i] / db[i] for any row of a first linear layer with bias (Phong et al. 2018).

    Rows are combined by least squares over the coordinates that the release shows, so masks
    and noise are tolerated; pixels that no visible row speaks about take the auxiliary mean.
    The naive attack takes the row with the largest bias gradient as it is. Batch size 1.
    """

    def refusal(self, model: nn.Module, threat: Threat) -> str:
        """Needs batch size 1 and a linear layer with bias fed by the pixels."""
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
        weight = release.update[fed_by.weight].double()
        bias = release.update[fed_by.bias].double()
        if threat.adaptive:
            seen = support(release, threat)
            trust = seen[fed_by.weight] & seen[fed_by.bias][:, None] & (bias != 0)[:, None]
        else:
            trust = torch.zeros_like(weight, dtype=torch.bool)
            trust[bias.abs().argmax()] = True
        lever = (trust * bias.square()[:, None]).sum(0)
        fed = (trust * weight * bias[:, None]).sum(0) / lever.clamp(min=1e-300)
        pixels = (fed - fed_by.offset) / fed_by.scale
        mean = threat.auxiliary_images.mean(0).flatten().to(pixels)
        pixels = torch.where(lever > 0, pixels, mean).nan_to_num(0.5)
        images = pixels.clamp(0, 1).reshape(1, *threat.image_shape)
        labels = recover_labels(model, loss, release, threat)
        prior = SpectralPrior.fit(threat.auxiliary_images.to(images.device))
        compare = residual(model, loss, release, threat, labels)
        value = energy(compare, images, prior, noise_std(release, threat))
        return Guess(images.float().cpu(), labels, value, "analytic", 1, "solved")
