"""A schedule that `Defense.at` does not tell: releases of several steps, compared."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from attacks.invert.schedules import STEPS, Schedule, moments_of
from defenses import Defense, stream

BATCH = 4
"""Synthetic gradients in the releases that are compared."""


def with_drift(
    rounds: Schedule, defense: Defense, like: Mapping[str, Tensor], count: int
) -> Schedule:
    """The schedule, with the rounds that only the releases tell; itself where there are none.

    The same gradients and the same generator give the same release at every step of a defense
    without a schedule. One whose update or public facts differ is attacked at each step.

    Args:
        rounds: the schedule as `Defense.at` tells it.
        defense: the defense, told what is public.
        like: tensors of the parameters' names and shapes.
        count: rounds to look at, see `schedules.schedule`; 0: none.
    """
    if not count or rounds.fixed or rounds.unseen:
        return rounds
    random = stream(0, "drift")
    grads = {k: torch.randn(BATCH, *v.shape, generator=random).to(v) for k, v in like.items()}
    steps = moments_of(count)
    seen = []
    for step in steps:
        draw = stream(0, "drift", "release")
        release = defense.release(grads, step=step, steps=STEPS, generator=draw)
        seen.append((release.update, release.public))
    if all(same(seen[0], other) for other in seen[1:]):
        return rounds
    return dataclasses.replace(rounds, fixed=dict.fromkeys(steps, rounds.defense), drifts=True)


def hold_at(defense: Defense, step: int) -> Defense:
    """The defense with every release as of that step of the nominal run."""
    held = copy.copy(defense)
    # Whoever asks it for a release, the attacker's practice included, gets that step's.
    object.__setattr__(held, "release", partial(defense.release, step=step, steps=STEPS))
    return held


def same(one: Any, two: Any) -> bool:
    """Whether two releases' parts are the same, through mappings, sequences and tensors."""
    if isinstance(one, Tensor) and isinstance(two, Tensor):
        return torch.equal(one, two)
    if isinstance(one, Mapping) and isinstance(two, Mapping):
        return one.keys() == two.keys() and all(same(one[k], two[k]) for k in one)
    if isinstance(one, tuple | list) and isinstance(two, tuple | list):
        return len(one) == len(two) and all(map(same, one, two))
    return bool(one == two)
