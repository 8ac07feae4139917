"""Plain SGD: the mean gradient leaves as it is."""

from __future__ import annotations

from dataclasses import dataclass

from defenses.bases.summed import Linear
from defenses.contract import registry


@registry.register("none")
@dataclass(frozen=True)
class NoDefense(Linear):
    """The mean of the per-example gradients.

    Guarantee: none. Known attack: any gradient inversion (Zhu et al. 2019).
    """
