"""Plain SGD: the mean gradient leaves as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from defenses.contract import Gradients, registry
from defenses.summed import Summed, summed


@registry.register("none")
@dataclass(frozen=True)
class NoDefense(Summed):
    """The mean of the per-example gradients.

    Guarantee: none. Known attack: any gradient inversion (Zhu et al. 2019).
    """

    linear: ClassVar[bool] = True

    def contribute(self, grads: Gradients, plan: Mapping[str, Any]) -> dict[str, Tensor]:
        """The sum."""
        return summed(grads)
