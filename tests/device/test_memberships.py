"""Shadow models and membership scores on a device are those of the CPU."""

from __future__ import annotations

import dataclasses

import pytest
import torch

import attacks
from attacks import membership
from attacks.membership.scenario import Scenario
from attacks.membership.shadows.lockstep import Lockstep
from attacks.membership.shadows.obstacles import obstacle
from tests.attacks.membership.methods.test_methods import IDS, VARIANTS
from tests.attacks.membership.simulated import simulate
from tests.device.pretend import BACK, READ, counted
from victims.training import Training
from victims.training.prepare import prepare
from victims.training.state import state

SMALL = Training(data="digits", count=60, model="mlp", defense="none", batch_size=8, lr=0.2)
SETTINGS = [
    {"defense": "none", "momentum": 0.9},
    {"defense": "dpsgd", "model": "lenet", "lr": 0.05, "views": 2},
    {"defense": "dprs", "average": 0.9, "optimizer": "adam", "lr": 0.01},
]


def trainers(device, **changed):
    return [
        prepare(dataclasses.replace(SMALL, **changed, seed=s), device=device).trainer
        for s in range(3)
    ]


@pytest.mark.parametrize("changed", SETTINGS, ids=lambda c: "-".join(map(str, c.values())))
def test_models_in_lockstep_are_those_of_the_cpu(changed, device):
    here, there = trainers("cpu", **changed), trainers(device, **changed)
    assert obstacle(there) == ""
    first, second = Lockstep(here), Lockstep(there)
    for _ in range(3):
        first.advance()
        second.advance()
    with counted() as crossings:
        first.advance()
        second.advance()
    assert crossings[BACK] == 0
    assert crossings[READ] <= 8 * sum(len(t.parameters) for t in there)
    for a, b in zip(here, there, strict=True):
        expected = state(a)
        for key, value in state(b).items():
            torch.testing.assert_close(value, expected[key], rtol=2e-3, atol=2e-5)


@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=IDS)
def test_scores_are_those_of_the_cpu_and_lie_on_the_device(name, options, device):
    evidence, _ = simulate(count=60, pairs=4)
    fields = {f.name: getattr(evidence, f.name) for f in dataclasses.fields(evidence)}
    far = membership.Evidence(**{k: v.to(device) for k, v in fields.items()})
    attack = membership.get(name, **options)
    found = attack.scores(far)
    assert found.device == far.labels.device
    torch.testing.assert_close(found.cpu(), attack.scores(evidence), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["auto", "plain", "channels-last", "together"])
def test_a_study_in_every_layout_gives_the_cpus_record(layout, device):
    t = dataclasses.replace(SMALL, model="lenet", lr=0.05, epochs=1, defense="dprs")
    scenario = Scenario(t, shadows=4, population=20, layout=layout, watched=2)
    record = attacks.run(scenario, device=device)
    expected = attacks.run(scenario, device="cpu")
    assert record.arrays.keys() == expected.arrays.keys()
    for key, value in record.arrays.items():
        assert value.device.type == "cpu"
        torch.testing.assert_close(value, expected.arrays[key], rtol=2e-2, atol=2e-2)
