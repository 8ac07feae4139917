"""The closed form for a first linear layer: its weight gradient is an outer product."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from attacks.invert.contract import Guess, Inversion, Loss, Threat, registry
from attacks.invert.labels import recover_labels
from attacks.invert.matching import energy, noise_std, require, residual, support
from attacks.invert.priors import SpectralPrior
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
        if _first_linear(model, threat.image_shape) is None:
            return "the model's first layer is not linear with a bias"
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
        found = _first_linear(model, threat.image_shape)
        assert found is not None
        layer, offset, scale = found
        weight = release.update[f"{layer}.weight"].double()
        bias = release.update[f"{layer}.bias"].double()
        if threat.adaptive:
            seen = support(release, threat)
            trust = seen[f"{layer}.weight"] & seen[f"{layer}.bias"][:, None] & (bias != 0)[:, None]
        else:
            trust = torch.zeros_like(weight, dtype=torch.bool)
            trust[bias.abs().argmax()] = True
        lever = (trust * bias.square()[:, None]).sum(0)
        fed = (trust * weight * bias[:, None]).sum(0) / lever.clamp(min=1e-300)
        pixels = (fed - offset) / scale
        mean = threat.auxiliary_images.mean(0).flatten().to(pixels)
        pixels = torch.where(lever > 0, pixels, mean).nan_to_num(0.5)
        images = pixels.clamp(0, 1).reshape(1, *threat.image_shape)
        labels = recover_labels(model, loss, release, threat)
        prior = SpectralPrior.fit(threat.auxiliary_images.to(images.device))
        compare = residual(model, loss, release, threat, labels)
        value = energy(compare, images, prior, noise_std(release, threat))
        return Guess(images.float().cpu(), labels, value, "analytic", 1, "solved")


def _first_linear(
    model: nn.Module, image_shape: tuple[int, int, int]
) -> tuple[str, Tensor, Tensor] | None:
    """Name, offset (D,) and scale (D,) of a linear layer fed with offset + scale * pixels."""
    linear = next(((k, m) for k, m in model.named_modules() if isinstance(m, nn.Linear)), None)
    if linear is None or linear[1].bias is None:
        return None
    name, layer = linear
    seen: list[Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    like = next(model.parameters())
    probe = torch.rand(image_shape, generator=torch.Generator().manual_seed(0)).to(like)
    try:
        with torch.no_grad():
            for image in (torch.zeros_like(probe), torch.ones_like(probe), probe):
                model(image[None])
    finally:
        hook.remove()
    offset, top, mixed = (s.double().flatten() for s in seen)
    scale = top - offset
    if offset.numel() != probe.numel() or not bool((scale != 0).all()):
        return None
    if not torch.allclose(mixed, offset + scale * probe.double().flatten(), atol=1e-4):
        return None
    return name, offset, scale
