"""A Transfer: what decides a private head, and nothing that does not."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from defenses import BadInput
from defenses.options import check_types
from defenses.privacy.full_batch import CONVERSIONS
from reports.records.keyed import Keyed


@dataclass(frozen=True)
class Transfer(Keyed):
    """One private head (see ``python -m victims.transfer --help`` for each field).

    Attributes:
        data: see `victims.load_data`; its ``train`` split is private, ``test`` measures accuracy.
        count: this many private examples, chosen with ``seed``; None: all.
        size: image edge for data that can be scaled.
        backbone: see `victims.transfer.backbones.load_backbone`.
        method: see `victims.transfer.names`; its options in ``options``.
        options: of the method.
        epsilon: sets the noise so that the whole fit spends this; None where the noise is given.
        noise_multiplier: noise std over sensitivity, of every release; 0: no guarantee.
        delta: the delta of every guarantee, in (0, 1).
        conversion: how epsilon and noise belong together, see `defenses.privacy.full_batch`.
        seed: the seed of the noise, which is keyed by the data as well, and of the chosen ones.
        secure: for deployments: noise and batches come from the operating system, nobody can draw
            them again, and nothing is said of the private examples beside the head.
    """

    unsaid = ("secure",)

    data: str = "digits"
    count: int | None = None
    size: int | None = None
    backbone: str = "scatternet"
    method: str = "dp-fc"
    options: dict[str, Any] = field(default_factory=dict)
    epsilon: float | None = None
    noise_multiplier: float | None = None
    delta: float = 1e-5
    conversion: str = "exact"
    seed: int = 0
    secure: bool = False

    def __post_init__(self) -> None:
        check_types(self)
        if (self.epsilon is None) == (self.noise_multiplier is None):
            raise BadInput(
                "give one of --epsilon and --noise-multiplier: each follows of the other"
            )
        for name in ("epsilon", "noise_multiplier"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, float(value))  # 1 and 1.0 have one key
        noise = self.noise_multiplier
        if noise is not None and not (math.isfinite(noise) and noise >= 0):
            raise BadInput(f"noise-multiplier is {noise:g}; it must be >= 0 and finite")
        if not 0 < self.delta < 1:
            raise BadInput(f"delta is {self.delta:g}; it must be in (0, 1)")
        if self.conversion not in CONVERSIONS:
            known = ", ".join(CONVERSIONS)
            raise BadInput(f"unknown conversion {self.conversion!r}; known: {known}")
        if self.seed < 0:
            raise BadInput(f"seed is {self.seed}; it must be >= 0")
