"""Tells a defense what is public at a step, and hands it its memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from torch import Tensor

from defenses import Defense
from victims.federated.plan import Plan


def inform(
    plan: Plan,
    weights: Mapping[str, Tensor],
    start: Mapping[str, Tensor],
    memory: dict[str, Tensor],
) -> Defense:
    """The plan's defense, informed.

    Args:
        plan: of the federation.
        weights: parameter name -> where the step begins, public.
        start: parameter name -> where the federation began, public.
        memory: what the defense remembers; it writes into it.
    """
    side = getattr(plan.defense, "side", None)
    changes: dict[str, object] = {}
    if "moved" in plan.defense.wants:
        changes["moved"] = {k: v - start[k] for k, v in weights.items()}
    if "memory" in plan.defense.wants:
        changes["memory"] = memory
    if side is None or not changes:
        return plan.defense
    return plan.defense.informed(dataclasses.replace(side, **changes))
