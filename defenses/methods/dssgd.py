"""What a participant of distributed selective SGD uploads (Shokri and Shmatikov 2015, CCS)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from defenses.bases.selected import Selected
from defenses.contract import registry
from defenses.errors import BadInput
from defenses.options import option
from defenses.selection import SELECTIONS, largest, random_above, share_of


@registry.register("dssgd")
@dataclass(frozen=True)
class DSSGD(Selected):
    """Send a share theta_u of the update's coordinates, each truncated to [-gamma, gamma].

    ``largest`` selects those of the largest magnitude; ``random`` draws among those whose
    magnitude is above ``tau``, and sends all of these where they are fewer; ``all`` sends
    everything. In the paper the update is what one epoch of local training changed
    (`victims.federated`); an attack on a single gradient sees the first step of one. ``tau`` and
    ``gamma`` have the unit of what is released.

    Guarantee: none; values leave as they are, and which ones depends on the data. (The paper's
    variant with the sparse vector technique is `victims.federated.sparse_vector`, and states its
    budget.) Known attack: match what was sent; what was truncated is at least gamma; and with
    ``largest`` whatever was not sent is no larger than the least that was.
    """

    theta_u: float = option(
        0.1, "share of the coordinates that is sent", low=0, high=1, open_low=True
    )
    selection: str = option("largest", f"which are sent: {', '.join(SELECTIONS)}")
    tau: float = option(1e-4, "random: magnitude above which a coordinate may be drawn", low=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.selection not in SELECTIONS:
            raise BadInput(f"unknown selection {self.selection!r}; known: {', '.join(SELECTIONS)}")

    def select(self, sizes: Tensor, generator: torch.Generator) -> Tensor:
        """See `Selected.select`."""
        if self.selection == "all":
            return torch.ones_like(sizes, dtype=torch.bool)
        count = share_of(len(sizes), self.theta_u)
        if self.selection == "largest":
            return largest(sizes, count)
        return random_above(sizes, self.tau, count, generator)

    def largest_unsent(self, sizes: Tensor) -> float:
        """See `Selected.largest_unsent`.

        ``largest``: the least that was sent, unless it was truncated. ``random``: ``tau``, where
        fewer were above it than could be sent.
        """
        if self.selection == "all":
            return 0.0
        count = share_of(len(sizes), self.theta_u)
        if self.selection == "random":
            return self.tau if int(sizes.count_nonzero()) < count else math.inf
        least = float(sizes.topk(count).values[-1])
        return least if least < self.gamma * (1 - 1e-6) else math.inf
