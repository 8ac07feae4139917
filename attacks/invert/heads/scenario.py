"""A Scenario of a head's inversion: whose fit is watched, and what is made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from defenses import BadInput
from defenses.options import check_types
from reports.records.keyed import Keyed
from victims.transfer.scenario import Transfer

SEEN = ("gradients", "gramians")


@dataclass(frozen=True)
class Scenario(Keyed):
    """Everything that decides what is named and rebuilt, and nothing that does not.

    Attributes:
        transfer: every fit; its ``count`` is how many examples it has besides the sought one.
        images: how many examples are sought, each in a fit of its own.
        candidates: N, among which each is to be named; 1: that game is not played.
        see: what features are made of: ``gradients`` (class sums are some too), which are
            matrices (classes, features), or ``gramians``.
        iterations: steps in which the decoder learns what a linear map cannot tell.
        seed: of examples, noise and decoder.
    """

    transfer: Transfer = field(default_factory=lambda: Transfer(count=200, epsilon=1.0))
    images: int = 16
    candidates: int = 64
    see: str = "gradients"
    iterations: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        check_types(self)
        for name, low in (("images", 1), ("candidates", 1), ("iterations", 0)):
            if getattr(self, name) < low:
                raise BadInput(f"{name} is {getattr(self, name)}; it must be >= {low}")
        if (self.transfer.count or 0) < 1:
            raise BadInput(f"count is {self.transfer.count}; it must be >= 1")
        if self.see not in SEEN:
            raise BadInput(f"unknown see {self.see!r}; known: {', '.join(SEEN)}")

    def document(self) -> dict[str, Any]:
        """See `Keyed.document`; with the words that every Record of an inversion has."""
        words = {"attack": "decoder", "state": "untrained", "batch": 1}
        names = {"defense": self.transfer.method, "model": self.transfer.backbone}
        return super().document() | words | names

    @property
    def others(self) -> int:
        """Examples that each fit has besides the sought one, all known to the adversary."""
        return int(self.transfer.count or 0)
