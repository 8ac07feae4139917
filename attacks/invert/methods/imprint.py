"""A server that cheats: it sends a model whose gradient holds single images of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from attacks.invert.contract import MALICIOUS, Guess, Inversion, Loss, Threat, registry, require
from attacks.invert.malicious.caused import left_by_mean_gradient, name_by_slopes
from attacks.invert.malicious.divide import ROUNDING, Divided, divide, levels
from attacks.invert.malicious.factors import example_factors
from attacks.invert.malicious.imprint_block import SCALE, ImprintBlock, plant
from attacks.invert.matching.labels import recover_labels
from attacks.invert.matching.objective import EXPLAINED
from attacks.invert.peeling.readable import visible_coordinates
from defenses import Release
from defenses.options import option

WEIGHT, BIAS = "imprint.rows.weight", "imprint.rows.bias"


@registry.register("imprint")
@dataclass(frozen=True)
class Imprint(Inversion):
    """Robbing the fed (Fowl et al. 2022): bins over brightness, told apart by exact division.

    The server puts an `ImprintBlock` in front of the model that it sends. Whatever the size of the
    batch, an image that is alone in its bin is what two neighbouring rows of the block's gradient
    differ by. Clipping shortens an image's slopes, by as much as the replay says; of a mask or
    noise, all rows between two images say the same, so that a server that knows of a mask plants
    more rows. Secure aggregation does not help: it hides whose image it is. Solved are batches
    whose images, each under the label that its slope tells, have the gradient that was released.
    """

    threat: ClassVar[str] = MALICIOUS
    bins: int = option(256, "rows of the block that the server plants", low=2)

    def send(self, model: nn.Module, images: Tensor) -> nn.Module:
        """See `Inversion.send`."""
        return plant(model, images, self.bins)

    def refusal(self, model: nn.Module, threat: Threat) -> str:
        """Needs a gradient of a model that this server has sent."""
        if threat.local is not None:
            return "it takes a gradient, not a weight difference after local steps"
        if not isinstance(getattr(model, "imprint", None), ImprintBlock):
            return "the model has no imprint block; only a malicious server's (--threat) has one"
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
        require(self.refusal(model, threat), "imprint")
        device = next(model.parameters()).device
        own = threat.auxiliary_images.to(device).double().flatten(1)
        mean, spread = own.mean(0), float(own.var(0).mean())
        rows = torch.cat([release.update[WEIGHT], release.update[BIAS][:, None]], 1).double()
        shown = visible_coordinates(release, threat)
        size, seen = threat.batch_size, None if isinstance(shown, str) else shown
        if isinstance(shown, str):
            told, note = Divided(mean.new_zeros(0, len(mean)), mean.new_zeros(0)), shown
        else:
            visible = torch.cat([shown[WEIGHT], shown[BIAS][:, None]], 1)
            noise = threat.defense.noise(release) if threat.adaptive else 0.0
            std = max(noise, ROUNDING * float((rows * visible).abs().max()), 1e-30)
            thresholds = -model.get_parameter(BIAS).detach().double() / SCALE
            usual = (mean, max(spread, 1e-6))
            told = divide(levels(rows, visible, std), thresholds, std, size, usual)
            note = f"{len(told.images)} of {size} images have a bin that shows"
        found = len(told.images)
        pixels = torch.cat([told.images, mean.expand(size - found, -1)]).clamp(0, 1).float()
        images = pixels.reshape(-1, *threat.image_shape)
        labels = recover_labels(model, loss, release, threat)
        factors = partial(example_factors, model, loss, release, threat)
        if found:
            sought = threat.classes if threat.labels is None else None
            labels, order = name_by_slopes(
                model, loss, images[:found], told.slopes, labels, sought, factors
            )
            images = images[order]
        if found == size and seen is not None:
            left = left_by_mean_gradient(model, loss, release, seen, images, labels, factors)
            note = "" if left < EXPLAINED else f"what was found leaves {left:.1%} unexplained"
        stopped = "iterations" if note else "solved"
        return Guess(images.cpu(), labels.cpu(), 0.0, "imprint", 1, stopped, note)
