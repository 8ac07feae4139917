"""Finds by a positive control whether an audit could have refuted the claim at all.

An audit whose canaries are too few for the claim, or are not found even where nothing hides them,
says nothing for the claim: that it was not refuted is then no evidence.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import torch

from attacks.audit.game.seen import Seen
from attacks.audit.lower_bounds import bounds_of, concatenate
from attacks.audit.scenario import Scenario


def reaches(scenario: Scenario, seen: Sequence[Seen]) -> dict[str, float]:
    """Method -> the largest lower bound that it can come to with these coins, by its own formula.

    It is that of perfectly separated scores. A canary of which no release holds anything, noise
    apart, can only be guessed whoever scores it.
    """
    inserted = torch.cat([s.inserted for s in seen])
    perfect = inserted.double()
    parts = [s.visible for s in seen if s.visible is not None]
    if len(parts) == len(seen):
        perfect[~torch.cat(parts)] = 0.5
    return bounds_of(scenario, perfect, inserted)


def controls(
    scenario: Scenario, claimed: float, play: Callable[[Scenario], list[Seen]]
) -> dict[str, float]:
    """Method -> what the same audit proves of the same trainings without the defense.

    Black-box only: a model may not learn its canaries at all. Where releases are seen a canary is
    there unless noise hides it, or not `Seen.visible`. Nothing either where no claim is judged.

    Args:
        scenario: the Scenario that is judged.
        claimed: the claimed epsilon.
        play: trains and scores as another Scenario says, otherwise as the judged one was.
    """
    t = scenario.training
    if scenario.white_box or math.isinf(claimed) or t.defense == "none":
        return {}
    bare = dataclasses.replace(t, defense="none", defense_options={}, epsilon=None)
    control = dataclasses.replace(scenario, training=bare, claim=None)
    scores, inserted = concatenate(play(control))
    return bounds_of(control, scores[-1], inserted)
