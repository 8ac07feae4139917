"""The protocol's parts: what is downloaded, counted, whose turn it is, what travels."""

from __future__ import annotations

import math

import pytest
import torch

from tests.conftest import random_gradients, seeded
from victims.federated import wire
from victims.federated.counters import count, no_counts
from victims.federated.download import most_updated, overwrite
from victims.federated.reject import is_out_of_line, reason_to_reject
from victims.federated.turns import ORDERS, chosen_in_round, participant_at


def one(seed=0):
    return {k: g[0] for k, g in random_gradients(batch=1, seed=seed).items()}


def test_counters_decay_and_grow_where_something_was_uploaded():
    counters = no_counts({"w": torch.zeros(3)})
    for sent in ([1.0, 0, 0], [1.0, -2, 0]):
        counters = count(counters, {"w": torch.tensor(sent)}, decay=0.5)
    assert counters["w"].tolist() == [1.5, 1.0, 0.0]


def test_the_parameters_updated_most_are_downloaded():
    counters = {"a": torch.tensor([3.0, 1.0]), "b": torch.tensor([[2.0, 0.0]])}
    mask = most_updated(counters, 0.5)
    assert mask["a"].tolist() == [True, False]
    assert mask["b"].tolist() == [[True, False]]
    mixed = overwrite({k: v * 0 for k, v in counters.items()}, counters, mask)
    assert mixed["a"].tolist() == [3.0, 0.0]
    assert all(bool(m.all()) for m in most_updated(counters, 1.0).values())


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


class TestWhatTravels:
    @pytest.mark.parametrize("share", [0.0, 0.01, 0.6, 1.0])
    def test_an_update_comes_back_as_it_was(self, share):
        update = {
            k: v * (torch.rand(v.shape, generator=seeded()) < share) for k, v in one().items()
        }
        packed = wire.pack(update)
        zeros = {k: torch.zeros_like(v) for k, v in update.items()}
        assert all(torch.equal(v, update[k]) for k, v in wire.unpack(packed, zeros).items())
        kept = sum(int(v.count_nonzero()) for v in update.values())
        assert wire.size(packed) <= min(8 * kept, 4 * 1240)

    def test_a_part_is_laid_onto_what_the_participant_has(self):
        server, own = one(), one(seed=1)
        mask = {k: v > 0 for k, v in server.items()}
        laid = wire.unpack(wire.pack(server, mask), own)
        assert all(torch.equal(laid[k], torch.where(mask[k], server[k], own[k])) for k in own)

    @pytest.mark.parametrize(
        "sent",
        [
            {"weight": torch.ones(3), "weight#indices": torch.tensor([0, 1])},
            {"weight": torch.ones(2), "weight#indices": torch.tensor([0, 1200])},
            {"weight": torch.ones(2), "weight#indices": torch.tensor([0, -1])},
            {"other": torch.ones(2), "other#indices": torch.tensor([0, 1])},
            {"weight": torch.ones(1, 2), "weight#indices": torch.tensor([[0, 1]])},
            {"weight": torch.ones(2).double(), "weight#indices": torch.tensor([0, 1])},
        ],
    )
    def test_indices_that_do_not_fit_are_refused(self, sent):
        sent = {k: v.int() if "#" in k else v for k, v in sent.items()}
        with pytest.raises(ValueError, match=r"do not fit|out of range"):
            wire.unpack(sent, {k: torch.zeros_like(v) for k, v in one().items()})


class TestWhatIsRejected:
    def reason(self, **changed):
        return reason_to_reject({**one(), **changed}, one())

    def test_shapes_names_and_types_that_are_not_the_models(self):
        assert self.reason() is None
        assert self.reason(weight=torch.ones(40, 29)) == "shape"
        assert self.reason(weight=torch.ones(40, 30).double()) == "shape"
        assert self.reason(more=torch.ones(1)) == "shape"
        assert reason_to_reject({"bias": torch.ones(40)}, one()) == "shape"

    @pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
    def test_values_that_are_not_finite(self, bad):
        weight = torch.ones(40, 30)
        weight[3, 4] = bad
        assert self.reason(weight=weight) == "unfinite"

    def test_lengths_out_of_line(self):
        assert is_out_of_line(10.0, [1.0, 1.1, 0.9], 5.0)
        assert not is_out_of_line(4.9, [1.0, 1.1, 0.9], 5.0)
        assert not is_out_of_line(10.0, [1.0, 1.1], 5.0), "two are no usual length"
        assert is_out_of_line(10.0, [10.0, 1.1, 0.9, 1.0], 5.0), "one bad one sets no measure"
        assert not is_out_of_line(1e9, [1.0, 1.0, 1.0], math.inf)
