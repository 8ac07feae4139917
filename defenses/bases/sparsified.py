"""Random masks that cool down over a training run (Zhu and Blaschko 2023, Section 3)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Self

import torch
from torch import Tensor

from defenses.contract import Defense, Side
from defenses.gradients import device_of, random_keep, random_mask, send, split
from defenses.options import option
from defenses.randomness import child, stream


@dataclass(frozen=True)
class Sparsified(Defense):
    """The flags of random sparsification, for a defense that masks its coordinates.

    Masks are drawn without looking at the data, ``refresh`` times per epoch of 1 / sample rate
    steps, all coordinates together. With ``cooling`` the rate of mask number s of S is
    ``rate * s / (S - 1)``: the first epoch is dense, the last one at the final rate.
    """

    rate: float = option(
        0.9, "share of coordinates dropped, at the end when cooling", low=0, high=1, open_high=True
    )
    cooling: bool = option(True, "grow the rate linearly from 0 over a run's masks")
    refresh: int = option(1, "masks drawn per epoch of 1 / sample rate steps", low=1)
    side: Side = field(default=Side(), metadata={"hidden": True}, compare=False, repr=False)

    def informed(self, side: Side) -> Self:
        """The same defense, told the sample rate, which sets epochs, and the masks' shared seed."""
        return dataclasses.replace(self, side=side)

    def at(self, step: int, steps: int) -> Self:
        """The same defense at the rate of that step, for good."""
        return dataclasses.replace(self, rate=self.rate_at(step, steps), cooling=False)

    def slot(self, step: int, steps: int) -> tuple[int, int]:
        """Which mask a step uses, and how many the run has."""
        per_step = min(1.0, self.side.sample_rate * self.refresh)
        # A run's steps are a whole number, so its epochs are only nearly one.
        total = max(1, round(steps * per_step))
        return min(int(step * per_step + 1e-9), total - 1), total

    def rate_at(self, step: int, steps: int) -> float:
        """Share of coordinates dropped at a step; a run of one mask has the final rate."""
        slot, total = self.slot(step, steps)
        return self.rate * slot / (total - 1) if self.cooling and total > 1 else self.rate

    def mask_at(
        self, like: Mapping[str, Tensor], step: int, steps: int, generator: torch.Generator
    ) -> dict[str, Any]:
        """The plan's ``mask`` and ``rate``; the mask comes from a generator of its own."""
        rate = self.rate_at(step, steps)
        seed = self.side.mask_seed
        if seed is None:
            return {"mask": random_mask(like, rate, child(generator)), "rate": rate}
        slot = self.slot(step, steps)[0]
        total = sum(v.numel() for v in like.values())
        flat = _shared_mask(seed, slot, rate, total, device_of(like))
        return {"mask": split(flat, like), "rate": rate}


@lru_cache(maxsize=16)  # all steps of an epoch ask for the same one, of each of a few models
def _shared_mask(seed: int, slot: int, rate: float, total: int, device: torch.device) -> Tensor:
    """(P,) mask that everyone who knows the shared seed can draw, on a device."""
    return send(random_keep(total, rate, stream(seed, "mask", slot)), device)
