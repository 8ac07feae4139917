"""Whose turn it is, under the three orders of Shokri and Shmatikov (2015, Section 5)."""

from __future__ import annotations

from collections.abc import Callable

import torch

ORDERS = ("round-robin", "random", "asynchronous")
"""One after the other in the same order; in a new random order every round, one at a time; in one
random order without waiting, so that others' uploads come in between."""


def participant_at(
    turn: int, participants: int, order: str, draw: Callable[[int], torch.Generator]
) -> int:
    """The participant of a turn; each has one turn in every round of as many.

    Args:
        turn: from 0.
        participants: how many there are.
        order: one of `ORDERS`.
        draw: gives the generator of a round's order, the same whenever it is asked.
    """
    turn_of_round, place = turn // participants, turn % participants
    if order == "round-robin":
        return place
    # Asynchronous participants keep their pace: nobody is asked again before it has answered.
    drawn_in = 0 if order == "asynchronous" else turn_of_round
    return int(torch.randperm(participants, generator=draw(drawn_in))[place])


def chosen_in_round(participants: int, share: float, generator: torch.Generator) -> list[int]:
    """The participants of a round: each joins with probability ``share``, on its own.

    Poisson sampling, which is what accountants assume; at ``share`` 1 all join.
    """
    drawn = torch.rand(participants, generator=generator, dtype=torch.float64)
    return (drawn < share).nonzero()[:, 0].tolist()
