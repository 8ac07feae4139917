"""What is left of the evaluations and of the time when attacks are tried one after the other."""

from __future__ import annotations

import dataclasses
from typing import Any

from attacks.invert.contract import Inversion, Threat
from attacks.invert.matching.clock import Clock


def threat_left(threat: Threat, spent: int, clock: Clock) -> Threat:
    """The threat with what is left of its evaluations and of its time.

    Args:
        threat: at the start.
        spent: evaluations per image.
        clock: the guard over the whole batch.
    """
    evaluations = None if threat.evaluations is None else max(1, threat.evaluations - spent)
    seconds = max(clock.left, 1e-3) / threat.batch_size
    return dataclasses.replace(threat, evaluations=evaluations, seconds=seconds)


def limit(attack: Inversion, evaluations: int, threat: Threat) -> tuple[Inversion, Threat]:
    """The attack and the threat with at most so many evaluations per image, and a single start."""
    less: dict[str, Any] = {"iterations": evaluations, "restarts": 1}
    own = {field.name for field in dataclasses.fields(attack)} & set(less)
    attack = dataclasses.replace(attack, **{name: less[name] for name in own})
    return attack, dataclasses.replace(threat, evaluations=threat.allowed(evaluations))
