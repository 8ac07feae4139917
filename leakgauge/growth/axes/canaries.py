"""An audit against its canaries."""

from __future__ import annotations

from functools import partial

import attacks
from leakgauge.growth.axis import Act, Axis
from victims import train
from victims.training import Training


def _training(seed: int) -> Training:
    return Training(
        model="mlp",  # of more coordinates than there are canaries
        data="digits",
        defense="dpsgd",
        defense_options={"noise_multiplier": 1.0},
        count=500,
        batch_size=50,
        epochs=2,
        seed=seed,
    )


def _audit(size: int, seed: int) -> Act:
    scenario = attacks.audit.Scenario(training=_training(seed), canaries=size, seed=seed)
    return partial(attacks.run, scenario)


def _train(size: int, seed: int) -> Act:
    """The training alone, which does not grow."""
    return partial(train.run, _training(seed))


CANARIES = Axis(
    label="canaries",
    sizes=(100, 1000, 10**4),
    measured="an audit of a training of 20 steps",
    floor="the training",
    prepare=_audit,
    prepare_floor=_train,
)
