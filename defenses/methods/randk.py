"""Random-k sparsification with error feedback (Stich, Cordonnier and Jaggi 2018, NeurIPS)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from defenses.bases.remembering import Remembering
from defenses.bases.summed import Linear, average
from defenses.contract import WIRE_BYTES_PER_VALUE, Gradients, Release, registry
from defenses.errors import BadInput
from defenses.gradients import random_mask
from defenses.options import option
from defenses.randomness import child, stream


@registry.register("randk")
@dataclass(frozen=True)
class RandK(Remembering, Linear):
    """Send random coordinates of the mean gradient plus memory; what is not sent is the memory.

    A mask is drawn for every step without looking at the data and is public (arXiv 1809.07599,
    Algorithm 1, with the memory in units of gradients). In training the memory holds what earlier
    batches were not allowed to send, and a coordinate that comes up sends it all at once.

    Guarantee: none. Known attack: wait. The memory makes sure that nothing is lost, so whoever
    adds up the releases gets the dropped coordinates back: after R rounds on the same batch at
    the same weights, a coordinate last sent in round t has been released t times. ``rounds`` is
    for how long the adversary of a single release listens; its update is their mean. That is
    exact while the weights stand still, and a small learning rate comes near it. With one round
    match the coordinates that were sent.
    """

    forgets: ClassVar[bool] = False  # one who sends the first time owes nothing yet

    rate: float = option(0.9, "share of coordinates not sent", low=0, high=1, open_high=True)
    rounds: int = option(
        1, "rounds on the same batch whose releases an adversary adds up; not in training", low=1
    )

    def plan(
        self, like: Mapping[str, Tensor], *, step: int, steps: int, generator: torch.Generator
    ) -> dict[str, Any]:
        """``mask``, what was sent at all, and ``heard``, name -> last round it was sent over R."""
        if self.rounds > 1 and self.side.memory is not None:
            raise BadInput("randk's rounds are those of a single release; in training there is one")
        seed = self.side.mask_seed
        draw = child(generator) if seed is None else stream(seed, "randk", step)
        heard = {k: torch.zeros_like(v) for k, v in like.items()}
        for turn in range(1, self.rounds + 1):
            for name, keep in random_mask(like, self.rate, draw).items():
                heard[name][keep] = turn / self.rounds
        return {"mask": {k: v > 0 for k, v in heard.items()}, "heard": heard}

    def finish(
        self,
        total: Mapping[str, Tensor],
        plan: Mapping[str, Any],
        *,
        batch_size: int,
        generator: torch.Generator,
    ) -> Release:
        """See `Summed.finish`. A shared seed gives the indices."""
        mean = average(total, batch_size)
        memory = self.recall()
        due = {k: v + memory[k] if k in memory else v for k, v in mean.items()}
        update = {k: v * plan["heard"][k] for k, v in due.items()}
        self.remember({k: v - update[k] for k, v in due.items()})
        kept = sum(v.numel() for v in due.values())
        kept -= int(self.rate * kept)
        public = self.public(batch_size) | dict(plan)
        return Release(update, public, WIRE_BYTES_PER_VALUE * kept * self.rounds)

    def replay(self, grads: Gradients, release: Release) -> dict[str, Tensor]:
        """The mean gradient as often as it was heard; masks not written down are read off zeros."""
        heard = release.public.get("heard") or {k: v != 0 for k, v in release.update.items()}
        full = super().replay(grads, release)
        return {k: v * heard[k].to(v) for k, v in full.items()}
