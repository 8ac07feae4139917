"""Plays one training with canaries inside."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from attacks.audit.game.black_box import black_box
from attacks.audit.game.seen import Course, Seen
from attacks.audit.game.white_box import white_box
from attacks.audit.scenario import Scenario
from defenses import BadInput
from defenses.randomness import seed_of
from reports.commands.progress import Report, unwatched
from victims.data import digest, load_data
from victims.training.plan import Plan, make_plan
from victims.training.trainer import Trainer


def plan_with_canaries(scenario: Scenario) -> Plan:
    """The plan of the audited training; its size counts half of the canaries.

    The sample rate and the noise follow from this number, not from the coins, which are secret.
    """
    count = scenario.training.count
    if count is None:
        raise BadInput("an audit needs --count: the training's examples besides the canaries")
    return make_plan(scenario.training, count + scenario.canaries // 2)


def content(scenario: Scenario, data_root: str | None) -> str:
    """Digest of the examples that a Scenario's trainings see, and of those it makes canaries of."""
    t = scenario.training
    more = 0 if scenario.white_box else scenario.canaries
    return digest(
        load_data(
            t.data,
            split="train",
            count=(t.count or 0) + more,
            root=data_root,
            size=t.size,
            seed=scenario.seed,
        )
    )


def play(
    scenario: Scenario,
    *,
    run: int = 0,
    plan: Plan | None = None,
    trainer: Callable[..., Trainer] = Trainer,
    device: str = "cpu",
    data_root: str | None = None,
    report: Report = unwatched,
    course: Course | None = None,
) -> Seen:
    """Train once with canaries, and score them.

    Args:
        scenario: what is audited, and how.
        run: the number of the training, from 0.
        plan: its plan; None: that of `plan_with_canaries`.
        trainer: builds the trainer from a `Trainer`'s arguments; another than `Trainer` audits
            a training loop that is not ours.
        device: where it is trained.
        data_root: see `victims.load_data`.
        report: called along the training.
        course: keeps a run that is interrupted; None keeps none.

    Raises:
        BadInput: the Scenario cannot be played.
    """
    plan = plan or plan_with_canaries(scenario)
    t = dataclasses.replace(scenario.training, seed=_seed(scenario, run))
    side = dataclasses.replace(plan.side, mask_seed=seed_of(t.seed, "masks"))
    plan = dataclasses.replace(
        plan, training=t, side=side, defense=plan.defense.informed(side), history=()
    )
    if scenario.white_box:
        return white_box(scenario, plan, trainer, device, data_root, report, course or Course())
    return black_box(scenario, plan, trainer, device, data_root, report)


def _seed(scenario: Scenario, run: int) -> int:
    """The seed of one training."""
    return seed_of(scenario.seed, "audit", run) >> 66  # data sets are shuffled by 62 bits
