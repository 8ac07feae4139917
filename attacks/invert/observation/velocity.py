"""A client's momentum that outlives a round, taken out of what several rounds show."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from safetensors import safe_open

from attacks.invert.victim import Victim
from defenses import BadInput, Release

Round = tuple[Victim, Release]


def gradients_of(rounds: Sequence[Round], momentum: float, started: bool) -> list[Round]:
    """Each round with its own gradient, where the client's optimizer lives on from round to round.

    The velocity is PyTorch's, v(r) = momentum v(r - 1) + g(r). A round of one step moves the
    weights by lr v(r), so that over lr its update is v(r), and g(r) = v(r) - momentum v(r - 1).
    Several steps in a round end with a velocity that their sum does not tell: those are refused.
    Nesterov's momentum sends g(r) + momentum v(r) instead, and weight decay adds a share of the
    weights to g(r): of either nothing here is the gradient, and the files do not tell.

    Args:
        rounds: victim and release of consecutive rounds, each of one step.
        momentum: of the client's SGD, in [0, 1).
        started: whether the first is the client's first round, before which the velocity is 0; else
            the first says nothing but what the second began with, and is left out.

    Raises:
        BadInput: no momentum; local steps; a defense, which changes what is sent of v; nothing is
            left.
    """
    if not 0 <= momentum < 1:
        raise BadInput(f"kept_momentum is {momentum:g}; it must be in [0, 1)")
    for victim, _ in rounds:
        if victim.local is not None:
            raise BadInput(
                "kept_momentum is of rounds of one step: the velocity that several end with is "
                "not told by their sum"
            )
        if victim.defense.name != "none":
            raise BadInput(
                f"kept_momentum is of updates that left as they were, not of {victim.defense.name}"
            )
    if not started and len(rounds) == 1:
        raise BadInput(
            "kept_momentum takes the round before too, unless the file says that its round is 1: "
            "give both to --observation"
        )
    found = [rounds[0]] if started else []
    for (_, before), (victim, after) in pairwise(rounds):
        own = {k: v - momentum * before.update[k] for k, v in after.update.items()}
        found.append((victim, dataclasses.replace(after, update=own)))
    return found


def begins(paths: Sequence[Path]) -> bool:
    """Whether the files of consecutive rounds say that they begin with the first round of all.

    Raises:
        BadInput: of several files one does not say its round, or they say rounds that do not
            follow one another.
    """
    told = []
    for path in paths:
        with safe_open(path, framework="pt", device="cpu") as file:
            told.append((file.metadata() or {}).get("round", ""))
    numbers = [int(text) if text.isdigit() else None for text in told]
    for path, number in zip(paths, numbers, strict=True):
        if number is None and len(paths) > 1:
            raise BadInput(
                f"{path} does not say its round: kept_momentum takes files whose metadata have "
                "'round', a whole number, and that follow one another"
            )
    for path, (one, after) in zip(paths[1:], pairwise(numbers), strict=True):
        if one is not None and after != one + 1:
            raise BadInput(
                f"{path} is of round {after}, after round {one}: kept_momentum takes rounds that "
                "follow one another"
            )
    return numbers[0] == 1
