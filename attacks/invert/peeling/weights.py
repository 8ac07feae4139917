"""What a release says of the weights of a graph's layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from attacks.invert.peeling.rules.contract import Weighted


@dataclass(frozen=True)
class Weights:
    """Gradients of weights, by the names of their parameters.

    Attributes:
        gradients: the mean over the batch, up to a scale that is the same for all.
        visible: bool, True where the release shows the coordinate; None: everywhere.
    """

    gradients: Mapping[str, Tensor]
    visible: Mapping[str, Tensor] | None = None

    def is_whole(self, name: str) -> bool:
        """Whether the release has the gradient of a parameter, all of it."""
        if name not in self.gradients:
            return False
        return self.visible is None or bool(self.visible[name].all())

    def told(self, rule: object) -> bool:
        """Whether the release has the gradient of this layer's weight."""
        return isinstance(rule, Weighted) and rule.parameter in self.gradients

    def gradient(self, rule: Weighted) -> Tensor:
        """The gradient of a layer's weight, float64."""
        return self.gradients[str(rule.parameter)].double()

    def mask(self, rule: Weighted) -> Tensor | None:
        """Its visible coordinates; None when all are."""
        if self.visible is None:
            return None
        mask = self.visible[str(rule.parameter)]
        return None if bool(mask.all()) else mask
