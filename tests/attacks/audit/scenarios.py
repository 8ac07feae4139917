"""The Scenario that the tests of audits change."""

from __future__ import annotations

import dataclasses

from attacks.audit.scenario import Scenario
from victims.training import Training


def scenario(**changes) -> Scenario:
    training = Training(
        data="digits",
        count=40,
        model="mlp",
        defense="dpsgd",
        defense_options={"noise_multiplier": 2.0},
        batch_size=70,
        epochs=6,
        lr=0.1,
        accountant="rdp",  # the other one takes a second per look
    )
    training = dataclasses.replace(training, **changes.pop("training", {}))
    return Scenario(training, **{"canaries": 200, "seed": 5, **changes})
