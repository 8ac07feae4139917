"""The sum of a residual block: both branches have the slope of the sum."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from attacks.invert.peeling.rules.contract import Rule


@dataclass(frozen=True)
class Addition(Rule):
    """A weighted sum of layers of one shape."""

    weights: tuple[float, ...]

    def pull(self, slope: Tensor) -> tuple[Tensor, ...]:
        """See `Rule.pull`."""
        return tuple(slope * w for w in self.weights)

    @property
    def pointwise(self) -> bool:
        """See `Rule.pointwise`."""
        return True
