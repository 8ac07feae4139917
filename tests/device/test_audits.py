"""An audit on a device finds what it finds on the CPU."""

from __future__ import annotations

import pytest
import torch

import attacks
from attacks.audit.scenario import CANARIES, Scenario
from victims.training import Training

SMALL = Training(
    data="digits",
    count=60,
    model="linear",
    defense="dprs",
    defense_options={"rate": 0.5, "noise_multiplier": 1.0},
    batch_size=16,
    epochs=1,
)


@pytest.mark.parametrize("canary", CANARIES)
def test_an_audit_gives_the_cpus_scores(canary, device):
    scenario = Scenario(SMALL, canaries=20, canary=canary)
    record = attacks.run(scenario, device=device)
    expected = attacks.run(scenario)
    for key, value in record.arrays.items():
        assert value.device.type == "cpu"
        torch.testing.assert_close(value, expected.arrays[key], rtol=1e-2, atol=1e-3)
