"""scale * x + shift with constants, entry by entry."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from attacks.invert.peeling.rules.contract import Rule


@dataclass(frozen=True, eq=False)
class Scaling(Rule):
    """Both constants broadcast over (B, *shape); no scale is 0."""

    scale: Tensor
    shift: Tensor

    def pull(self, slope: Tensor) -> tuple[Tensor, ...]:
        """See `Rule.pull`."""
        return (slope * self.scale.to(slope),)

    def lift(self, output: Tensor) -> tuple[Tensor, ...]:
        """See `Rule.lift`."""
        return ((output - self.shift.to(output)) / self.scale.to(output),)

    @property
    def pointwise(self) -> bool:
        """See `Rule.pointwise`."""
        return True
