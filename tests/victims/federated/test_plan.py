from __future__ import annotations

import math

import pytest

from defenses import BadInput
from defenses.privacy.accounting import gaussian_epsilon
from tests.victims.federated.federations import federation
from victims.federated.plan import make_plan
from victims.federated.show import budget, describe

PRIVATE = {"defense": "dpsgd", "defense_options": {"clip": 1.0, "noise_multiplier": 2.0}}


def plan(total=1297, parameters=1000, **changed):
    return make_plan(federation(**changed), total, parameters)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"theta_d": 0.0}, r"theta_d is 0; it must be in \(0, 1\]"),
        ({"theta_d": 1.5}, "theta_d is 1.5"),
        ({"decay": 0.0}, "decay is 0"),
        ({"order": "sideways"}, "unknown order 'sideways'; known: round-robin, random, async"),
        ({"rule": "fedprox"}, "unknown rule 'fedprox'; known: dssgd, fedavg, fedsgd"),
        ({"participants": 0}, "participants is 0; it must be >= 1"),
        ({"participants": 2000, "examples": None}, "2000 participants cannot share 1297 examples"),
        ({"participants": 40}, "40 participants of 40 examples need 1600; there are 1297"),
        ({"order": "asynchronous", "staleness": 4}, r"staleness is 4; it must be in \[0, 3\]"),
        ({"staleness": 1}, "staleness is of order asynchronous"),
        ({"rule": "fedavg", "order": "random"}, "order is of rule dssgd"),
        ({"rule": "fedavg", "theta_d": 0.5}, "theta_d is of rule dssgd"),
        ({"share": 0.5}, "share is of rule fedavg, fedsgd"),
        ({"where": "server"}, "where is of rule fedavg, fedsgd"),
        ({"where": "moon"}, "unknown where 'moon'; known: participant, server"),
        ({"rule": "fedsgd", "epochs": 2}, "epochs is of rules dssgd and fedavg"),
        ({"rule": "fedsgd", "batch_size": 41}, "the batch of 41 is larger than a participant's"),
        ({"norm_limit": 1.0}, "norm_limit is 1; it must be > 1"),
        ({"norm_limit": math.nan}, "norm_limit must be a number"),
        ({"lr": 0.0}, "lr is 0; it must be > 0"),
        ({"delta": 1.0}, "delta is 1"),
        ({"epsilon": 1.0}, "epsilon cannot set the noise of 'dssgd'"),
        ({"epsilon": 1.0, **PRIVATE}, "epsilon cannot set the noise of 'dpsgd'"),
        ({"per_parameter": 1.0, "defense": "topk"}, "per_parameter is of defense dssgd"),
        ({"defense": "precode"}, "'precode' needs the model or public data"),
        ({"defense": "gep"}, "'gep' needs the model or public data"),
        ({"defense_options": {"theta_u": 0.0}}, "theta_u is 0"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(changed, message):
    with pytest.raises(BadInput, match=message) as error:
        plan(**changed)
    assert "\n" not in str(error.value)


def test_the_sparse_vector_technique_costs_what_it_costs_and_says_so():
    made = plan(
        total=18_000,
        parameters=105_506,
        participants=30,
        examples=600,
        rounds=10,
        per_parameter=10.0,
    )
    assert made.sparse.count == 10_550
    assert made.epsilon(1) == 105_500
    assert made.epsilon(10) == 1_055_000
    text = budget(made)
    for told in (
        "epsilon 10 per uploaded parameter",
        "105500 per participant and epoch",
        "1.055e+06 per participant in total",
        "nobody is protected",
    ):
        assert told in text
    assert math.isinf(plan().epsilon(1))
    assert "nothing is guaranteed" in describe(plan())


class TestWhomAGuaranteeProtects:
    def test_a_participant_of_its_own_uploads(self):
        for rule in ("dssgd", "fedavg"):
            made = plan(rule=rule, rounds=5, **PRIVATE)
            assert (made.unit, made.sample_rate, made.divisor) == ("upload", 1.0, 1)
            expected = gaussian_epsilon(2.0, steps=5, sample_rate=1, delta=1e-5, accountant="prv")
            assert made.epsilon(5) == expected

    def test_an_example_of_a_participants_poisson_batches(self):
        made = plan(rule="fedsgd", rounds=5, batch_size=10, **PRIVATE)
        assert (made.unit, made.sample_rate, made.divisor) == ("example", 0.25, 10)
        expected = gaussian_epsilon(2.0, steps=5, sample_rate=0.25, delta=1e-5, accountant="prv")
        assert made.epsilon(5) == expected

    def test_a_participant_among_all_of_a_server_that_clips(self):
        made = plan(rule="fedavg", rounds=5, share=0.5, where="server", **PRIVATE)
        assert (made.unit, made.sample_rate, made.divisor) == ("participant", 0.5, 2)
        expected = gaussian_epsilon(2.0, steps=5, sample_rate=0.5, delta=1e-5, accountant="prv")
        assert made.epsilon(5) == expected

    def test_an_epsilon_sets_the_noise(self):
        made = plan(
            rule="fedavg", where="server", share=0.5, rounds=8, epsilon=2.0, defense="dpsgd"
        )
        assert 1.9 < made.epsilon(8) <= 2.0
