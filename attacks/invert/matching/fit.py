"""How much of a release images explain."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from attacks.invert.matching.objective import EXPLAINED, Residual


class Fit(NamedTuple):
    """How much of a release images explain.

    Attributes:
        left: sum of squares that they do not explain.
        total: sum of squares that was observed.
        seen: coordinates that were observed.
    """

    left: float
    total: float
    seen: int

    @classmethod
    def of(cls, compare: Residual, images: Tensor) -> Fit:
        """Of images (B, C, H, W) of the precision and device of `residual`; one gradient each."""
        explained, observed = (t.detach() for t in compare(images.detach()))
        left, total = (explained - observed).square().sum(), observed.square().sum()
        return cls(float(left), float(total), int((observed != 0).sum()))

    def is_explained(self, std: float) -> bool:
        """Whether what is left is no more than the noise, or `EXPLAINED` of a noiseless release."""
        return self.left <= 1.1 * self.seen * std**2 + EXPLAINED**2 * self.total

    @property
    def share(self) -> float:
        """The share of what was observed, in squares, that is left; 0 for all explained."""
        return self.left / max(self.total, 1e-300)


def is_explained(compare: Residual, images: Tensor, std: float) -> bool:
    """See `Fit.is_explained`."""
    return Fit.of(compare, images).is_explained(std)
