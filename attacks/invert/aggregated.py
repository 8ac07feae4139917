"""Secure aggregation: a server sees the mean of several participants' updates, not each one."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from defenses import BadInput, Defense

SUMMED = ("none", "gaussian", "dpsgd")
"""Defenses whose mean over participants is one batch of all their examples under more noise."""


def aggregate(defense: Defense, participants: int) -> Defense:
    """The defense of a batch that is the mean of ``participants`` updates of equally many examples.

    The server learns this mean and nothing else (Bonawitz et al. 2017, CCS). Of n participants
    with B / n examples each, sums of rows add up to that of the whole batch of B; n independent
    noises of std sigma C / (B / n) come to sqrt(n) sigma C / B in their mean, which is the batch's
    noise at sqrt(n) times the noise multiplier. What is then guaranteed is of the mean, and rests
    on everybody's adding its noise.

    Args:
        defense: of each participant.
        participants: n >= 1; 1 changes nothing.

    Raises:
        BadInput: a defense that selects, masks or rounds what each participant sends: no defense
            of the whole batch does the same.
    """
    if participants == 1:
        return defense
    if defense.name not in SUMMED:
        raise BadInput(
            f"secure_aggregation is of defenses that add rows up ({', '.join(SUMMED)}), not of "
            f"{defense.name!r}, whose mean over participants is no release of their whole batch"
        )
    noise = getattr(defense, "noise_multiplier", None)
    if noise is None:
        return defense
    louder: dict[str, Any] = {"noise_multiplier": math.sqrt(participants) * noise}
    return dataclasses.replace(defense, **louder)
