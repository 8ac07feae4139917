"""A defense of a user, and studies of it that take a second."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from defenses import Compression, option

TINY = {"model": "linear", "images": 8, "attack": "bayes", "attack_options": {"iterations": 15}}


SMALL = {"model": "linear", "count": 100, "epochs": 2}


MEMBERSHIP = {**SMALL, "shadows": 2, "population": 20}


AUDIT = {**SMALL, "canaries": 60, "epochs": 1}


@dataclass(frozen=True)
class Coarse(Compression):
    """A user's own: known to nobody but this file."""

    step: float = option(0.01, "distance of the levels", low=0, open_low=True)
    hidden: int = dataclasses.field(default=0, metadata={"hidden": True})

    def compress(self, mean, plan, generator):
        update = {k: self.step * (v / self.step).round() for k, v in mean.items()}
        return update, sum(v.numel() for v in update.values())

    def noise(self, release):
        return self.step / 12**0.5
