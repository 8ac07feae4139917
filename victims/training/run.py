"""Runs a training to its last checkpoint, resumes it where it was, or brings it to any step."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from defenses import BadInput
from reports.commands.progress import Report, expect, unwatched
from reports.records.training import Row
from victims.training import checkpoint as store
from victims.training.cost import seconds_of
from victims.training.prepare import Prepared, prepare
from victims.training.resume import check_run, checkpoints_in, resume, snapshot
from victims.training.state import restore
from victims.training.trainer import Trainer

SAVE_SECONDS = 60.0


class Stopped(RuntimeError):
    """A run that cannot go on; the message says why and which checkpoint is good."""


def run(
    prepared: Prepared,
    folder: Path | None,
    *,
    keep: int = 10,
    save_seconds: float = SAVE_SECONDS,
    until: int | None = None,
    report: Report = unwatched,
    watch: Callable[[Trainer], None] = lambda trainer: None,
) -> Iterator[Row]:
    """Train to the end, yielding a row per finished epoch, those before a resume included.

    Args:
        prepared: a run, see `prepare`.
        folder: the folder of checkpoints; one that is there is resumed. None writes none.
        keep: this many checkpoints besides the latest are kept, evenly over the run, so that
            steps in between can be reached again quickly.
        save_seconds: a checkpoint is written at the end of an epoch, and after this long.
        until: stop once so many steps are done; None runs to the end.
        report: called along the run.
        watch: called with the trainer before each step.

    Raises:
        Stopped: see `Trainer.advance`.
    """
    trainer, plan = prepared.trainer, prepared.trainer.plan
    rows = resume(trainer, folder)
    yield from rows
    ends = plan.epoch_ends()
    last = plan.steps if until is None else min(until, plan.steps)
    kept = {round(plan.steps * i / keep) for i in range(keep)} if keep else set()
    expect(report, lambda: seconds_of(trainer, last - trainer.step))
    saved = time.monotonic()
    while trainer.step < last:
        if folder and trainer.step in kept:
            place = folder / "checkpoints" / f"step-{trainer.step:06d}.safetensors"
            if not place.exists():
                store.save(snapshot(trainer, rows), place)
        watch(trainer)
        report(f"step {trainer.step + 1}", trainer.step, plan.steps)
        try:
            trainer.advance()
        except BadInput as error:
            raise Stopped(_stop_message(error, trainer, rows, folder)) from error
        if trainer.step in ends:
            rows.append(_row(prepared, len(rows) + 1))
        if folder and (trainer.step in ends or time.monotonic() - saved > save_seconds):
            store.save(snapshot(trainer, rows), folder / store.LATEST)
            saved = time.monotonic()
        if trainer.step in ends:  # what has been shown is never trained again
            yield rows[-1]


def at_step(
    folder: Path,
    step: int,
    *,
    device: str = "cpu",
    data_root: str | None = None,
    code: Collection[str] = (),
    **context: Any,
) -> Prepared:
    """The run in ``folder`` as it was after ``step`` steps, trained again from a checkpoint.

    Args:
        folder: the folder of a run of ``python -m victims.train``.
        step: the number of steps done; 0 is before the first one.
        device: where the gradients are taken.
        data_root: see `victims.load_data`.
        code: specs of the user's own code that may be imported, see `store.training_in`.
        context: further arguments of `prepare`.

    Raises:
        BadInput: no run there, a step that it does not have or that a secure run does not keep,
            code that the user has not named, or data that have changed.
    """
    kept = checkpoints_in(folder)
    if not kept:
        raise BadInput(f"{folder} holds no training run (no {store.LATEST})")
    training = store.training_in(kept[0], folder, code)
    prepared = prepare(training, device=device, data_root=data_root, **context)
    trainer = prepared.trainer
    steps = trainer.plan.steps
    if not 0 <= step <= steps:
        raise BadInput(f"step is {step}; the run in {folder} has steps 0 to {steps}")
    before = [c for c in kept if c.step <= step]
    if before:
        nearest = max(before, key=lambda c: c.step)
        check_run(nearest, trainer, folder)
        restore(trainer, nearest.state)
    if training.secure and trainer.step != step:
        known = ", ".join(map(str, sorted({0, *(c.step for c in kept)})))
        raise BadInput(
            f"{folder} was trained with --secure, so that no step can be trained again: "
            f"step may be {known}"
        )
    for _ in run(prepared, None, until=step):
        pass
    return prepared


def _stop_message(error: BadInput, trainer: Trainer, rows: list[Any], folder: Path | None) -> str:
    """Why a run stopped; the weights before that step are saved where there is a folder."""
    text = f"training stopped at step {trainer.step + 1}: {error}"
    if folder is None:
        return text
    path = store.save(snapshot(trainer, rows), folder / store.LATEST)
    return f"{text}; {path} holds the weights before it; a smaller --lr may help"


def _row(prepared: Prepared, epoch: int) -> Row:
    """What an epoch that has just ended came to: accuracy with its interval, and epsilon."""
    trainer = prepared.trainer
    plan = trainer.plan
    inputs, labels = prepared.test
    right = trainer.correct(inputs, labels)
    interval = binomtest(right, len(labels)).proportion_ci(method="wilson")
    spent = plan.epsilon(trainer.step)
    rate_at = getattr(plan.defense, "rate_at", None)
    return Row(
        epoch=epoch,
        step=trainer.step,
        accuracy=right / len(labels),
        low=float(interval.low),
        high=float(interval.high),
        epsilon=None if spent == float("inf") else spent,
        holds=plan.holds,
        rate=rate_at(trainer.step - 1, plan.steps) if rate_at else None,
        wire_bytes=trainer.wire_bytes,
    )
