"""An audit against its canaries."""

from __future__ import annotations

from functools import partial

import attacks
from leakgauge.growth.axis import Act, Axis
from victims import train
from victims.training import Training

EXAMPLES, EPOCHS, STEPS = 500, 2, 20


def _training(canaries: int, seed: int) -> Training:
    """Of as many steps whatever the canaries, about half of which join the examples."""
    return Training(
        model="mlp",  # of more coordinates than there are canaries
        data="digits",
        defense="dpsgd",
        defense_options={"noise_multiplier": 1.0},
        count=EXAMPLES,
        batch_size=(EXAMPLES + canaries // 2) * EPOCHS // STEPS,
        epochs=EPOCHS,
        seed=seed,
    )


def _audit(size: int, seed: int) -> Act:
    scenario = attacks.audit.Scenario(training=_training(size, seed), canaries=size, seed=seed)
    return partial(attacks.run, scenario)


def _train(size: int, seed: int) -> Act:
    """The training alone, without canaries: it does not grow."""
    return partial(train.run, _training(0, seed))


CANARIES = Axis(
    label="canaries",
    sizes=(100, 1000, 10**4),
    measured=f"an audit of a training of {STEPS} steps",
    floor="the training",
    prepare=_audit,
    prepare_floor=_train,
)
