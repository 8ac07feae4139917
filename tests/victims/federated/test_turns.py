"""Whose turn it is."""

from __future__ import annotations

import math

import pytest
import torch

from tests.conftest import seeded
from victims.federated.turns import ORDERS, chosen_in_round, participant_at


@pytest.mark.parametrize("order", ORDERS)
def test_everybody_has_one_turn_in_a_round(order):
    rounds = [[participant_at(r * 7 + i, 7, order, seeded) for i in range(7)] for r in range(5)]
    assert all(sorted(r) == list(range(7)) for r in rounds)
    assert (rounds[0] == list(range(7))) == (order == "round-robin")
    assert (len({tuple(r) for r in rounds}) > 1) == (order == "random")


def test_participants_join_a_round_on_their_own():
    sizes = torch.tensor([float(len(chosen_in_round(20, 0.3, seeded(s)))) for s in range(400)])
    # Five standard errors of a binomial mean, and its variance to a third.
    assert abs(float(sizes.mean()) - 6) < 5 * math.sqrt(20 * 0.3 * 0.7 / 400)
    assert float(sizes.var()) == pytest.approx(4.2, rel=0.33)
    assert chosen_in_round(5, 1.0, seeded()) == [0, 1, 2, 3, 4]
