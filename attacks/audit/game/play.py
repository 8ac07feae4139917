"""One training with canaries inside."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from attacks.audit.game.black_box import black_box
from attacks.audit.game.seen import Course, Report, Seen
from attacks.audit.game.white_box import white_box
from attacks.audit.scenario import Exam
from defenses import BadInput
from defenses.randomness import seed_of
from victims.data import digest, load_data
from victims.training.plan import Plan, plan
from victims.training.trainer import Trainer


def planned(exam: Exam) -> Plan:
    """The plan of the audited training; its size counts half of the canaries.

    The sample rate and the noise follow from this number, not from the coins, which are secret.
    """
    count = exam.training.count
    if count is None:
        raise BadInput("an audit needs --count: the training's examples besides the canaries")
    return plan(exam.training, count + exam.canaries // 2)


def content(exam: Exam, data_root: str | None) -> str:
    """Digest of the examples that an Exam's trainings see, and of those it makes canaries of."""
    t = exam.training
    more = 0 if exam.white_box else exam.canaries
    return digest(
        load_data(
            t.data,
            split="train",
            count=(t.count or 0) + more,
            root=data_root,
            size=t.size,
            seed=exam.seed,
        )
    )


def play(
    exam: Exam,
    *,
    run: int = 0,
    made: Plan | None = None,
    trainer: Callable[..., Trainer] = Trainer,
    device: str = "cpu",
    data_root: str | None = None,
    report: Report = lambda line, done, total: None,
    course: Course | None = None,
) -> Seen:
    """Train once with canaries, and score them.

    Args:
        exam: what is audited, and how.
        run: which of its independent trainings.
        made: see `planned`; None makes it.
        trainer: builds the trainer from a `Trainer`'s arguments; another than `Trainer` audits
            a training loop that is not ours.
        device: where it is trained.
        data_root: see `victims.load_data`.
        report: told of progress.
        course: keeps a run that is interrupted.

    Raises:
        BadInput: it cannot be played; one line.
    """
    made = made or planned(exam)
    t = dataclasses.replace(exam.training, seed=_seed(exam, run))
    side = dataclasses.replace(made.side, mask_seed=seed_of(t.seed, "masks"))
    made = dataclasses.replace(
        made, training=t, side=side, defense=made.defense.informed(side), history=()
    )
    if exam.white_box:
        return white_box(exam, made, trainer, device, data_root, report, course or Course())
    return black_box(exam, made, trainer, device, data_root, report)


def _seed(exam: Exam, run: int) -> int:
    return seed_of(exam.seed, "audit", run) >> 66  # data sets are shuffled by 62 bits
