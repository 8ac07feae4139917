"""What an attack does before it sees a release, counted and guarded like the rest."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import torch
from torch import nn

from attacks.invert.contract import Inversion, Loss, Threat
from attacks.invert.matching.clock import Clock
from attacks.invert.matching.meter import metered

SHARE = 0.3
"""Of the time of all images of an attacker, where time is guarded."""


class Practised(NamedTuple):
    """An attack after practice.

    Attributes:
        attack: tuned.
        gradients: of single examples that practice took.
        cut: whether it took all of its time.
    """

    attack: Inversion
    gradients: int
    cut: bool


def practise(
    attack: Inversion,
    model: nn.Module,
    loss: Loss,
    threat: Threat,
    clock: Clock,
    *,
    generator: torch.Generator,
) -> Practised:
    """`Inversion.tuned` within `SHARE` of the clock.

    Args:
        attack: as the user chose it.
        model: the victim.
        loss: the victim's.
        threat: what the adversary has.
        clock: of all that this attacker does.
        generator: of what practice draws.
    """
    own = clock.part(SHARE)
    threat = dataclasses.replace(threat, seconds=own.left / threat.batch_size)
    with metered() as meter:
        tuned = attack.tuned(model, loss, threat, generator=generator)
    return Practised(tuned, meter.gradients, own.over)
