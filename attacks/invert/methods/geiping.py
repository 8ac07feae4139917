"""Inverting Gradients: cosine distance, total variation, Adam on the gradient's sign."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from attacks.invert.contract import Loss, Threat, registry
from attacks.invert.matching.cosine import Compared, Cosine
from attacks.invert.matching.objective import residual
from defenses import Release


@registry.register("geiping")
@dataclass(frozen=True)
class Geiping(Cosine):
    """1 - cos(replay(G(x)), r) + tv * TV(x), by Adam on sign(gradient) (Geiping et al. 2020).

    Learning rate 0.1, a tenth of it after 3/8, 5/8 and 7/8 of the run, pixels kept in [0, 1].
    The cosine ignores the release's length, so unknown clipping does not hurt it, and it needs
    no second derivative of smooth activations: it is the attack for ReLU networks. When time
    is guarded and short the schedule follows the clock.
    """

    def compared(
        self, model: nn.Module, loss: Loss, release: Release, threat: Threat, labels: Tensor
    ) -> Compared:
        """See `Cosine.compared`."""
        return Compared(residual(model, loss, release, threat, labels, dtype=torch.float32), [])
