"""DP-SGD with per-layer clipping (McMahan, Ramage, Talwar and Zhang 2018, ICLR, 1710.06963)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from defenses.contract import Gradients, registry
from defenses.gradients import clipped_sum
from defenses.methods.dpsgd import DPSGD


@registry.register("perlayer")
@dataclass(frozen=True)
class PerLayer(DPSGD):
    """Clip every layer of an example's gradient to C / sqrt(layers), then noise as in DP-SGD.

    A layer is the parameters of one module. One long layer no longer shrinks the others, and a
    layer never takes more than its share.

    Guarantee: that of ``dpsgd`` with the same ``clip`` and ``noise_multiplier``. Every one of m
    layers has norm at most C / sqrt(m), so the whole has norm at most sqrt(m C^2 / m) = C.

    Known attack: clip candidates layer by layer as well. Without that the layers' lengths fit no
    image, for per-layer clipping turns the gradient, which clipping as a whole does not.
    """

    factored: ClassVar[bool] = True

    def contribute(self, grads: Gradients, plan: Mapping[str, Any]) -> dict[str, Tensor]:
        """The sum of the gradients, each clipped layer by layer."""
        layers: dict[str, dict[str, Any]] = {}
        for name, grad in grads.items():
            layers.setdefault(name.rpartition(".")[0], {})[name] = grad
        bound = self.clip / math.sqrt(len(layers))
        parts: dict[str, Tensor] = {}
        for layer in layers.values():
            parts |= clipped_sum(layer, bound)
        return {k: parts[k] for k in grads}
