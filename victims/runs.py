"""A training run from its data to its last checkpoint, resumed where it was, or at any step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from defenses import BadInput
from victims import checkpoint as store
from victims.preparing import Prepared, Report, prepare
from victims.trainer import Trainer
from victims.training import Training

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
    report: Report = lambda line, done, total: None,
    watch: Callable[[Trainer], None] = lambda trainer: None,
) -> Iterator[dict[str, Any]]:
    """Train to the end, yielding a row per finished epoch, those before a resume included.

    Args:
        prepared: see `prepare`.
        folder: where checkpoints lie; one that is there is resumed. None writes none.
        keep: this many checkpoints besides the latest are kept, evenly over the run, so that
            steps in between can be reached again quickly.
        save_seconds: a checkpoint is written at the end of an epoch, and after this long.
        until: stop once so many steps are done; None runs to the end.
        report: told of progress.
        watch: called with the trainer before each step.

    Raises:
        Stopped: a gradient was not finite.
    """
    trainer, made = prepared.trainer, prepared.trainer.plan
    rows = _resume(trainer, folder)
    yield from rows
    ends = made.epoch_ends()
    last = made.steps if until is None else min(until, made.steps)
    kept = {round(made.steps * i / keep) for i in range(keep)} if keep else set()
    saved = time.monotonic()
    while trainer.step < last:
        if folder and trainer.step in kept:
            place = folder / "checkpoints" / f"step-{trainer.step:06d}.safetensors"
            if not place.exists():
                store.save(_snapshot(trainer, rows), place)
        watch(trainer)
        report(f"step {trainer.step + 1}", trainer.step, made.steps)
        try:
            trainer.advance()
        except BadInput as error:
            raise Stopped(_last_words(error, trainer, rows, folder)) from error
        if trainer.step in ends:
            rows.append(_row(prepared, len(rows) + 1))
            yield rows[-1]
        if folder and (trainer.step in ends or time.monotonic() - saved > save_seconds):
            store.save(_snapshot(trainer, rows), folder / store.LATEST)
            saved = time.monotonic()


def at_step(
    folder: Path, step: int, *, device: str = "cpu", data_root: str | None = None, **context: Any
) -> Prepared:
    """The run in ``folder`` as it was after ``step`` steps, trained again from a checkpoint.

    Raises:
        BadInput: no run there, or a step that it does not have.
    """
    found = [store.read(p) for p in sorted((folder / "checkpoints").glob("step-*.safetensors"))]
    if (folder / store.LATEST).exists():
        found.append(store.read(folder / store.LATEST))
    if not found:
        raise BadInput(f"{folder} holds no training run (no {store.LATEST})")
    prepared = prepare(Training(**found[0].training), device=device, data_root=data_root, **context)
    steps = prepared.trainer.plan.steps
    if not 0 <= step <= steps:
        raise BadInput(f"step is {step}; the run in {folder} has steps 0 to {steps}")
    before = [c for c in found if c.step <= step]
    if before:
        prepared.trainer.load(max(before, key=lambda c: c.step).state)
    for _ in run(prepared, None, until=step):
        pass
    return prepared


def _resume(trainer: Trainer, folder: Path | None) -> list[dict[str, Any]]:
    """Load the latest checkpoint of this training where there is one; its rows."""
    if folder is None or not (folder / store.LATEST).exists():
        return []
    found = store.read(folder / store.LATEST)
    if found.training != trainer.plan.training.document():
        raise BadInput(f"{folder} holds another training run: choose another --out, or --fresh")
    trainer.load(found.state)
    return found.rows


def _snapshot(trainer: Trainer, rows: list[dict[str, Any]]) -> store.Checkpoint:
    made = trainer.plan
    document, ledger = made.training.document(), made.ledger(trainer.step)
    return store.Checkpoint(document, trainer.step, rows, ledger, trainer.state())


def _last_words(error: BadInput, trainer: Trainer, rows: list[Any], folder: Path | None) -> str:
    text = f"training stopped at step {trainer.step + 1}: {error}"
    if folder is None:
        return text
    path = store.save(_snapshot(trainer, rows), folder / store.LATEST)
    return f"{text}; {path} holds the weights before it; a smaller --lr may help"


def _row(prepared: Prepared, epoch: int) -> dict[str, Any]:
    trainer = prepared.trainer
    made = trainer.plan
    inputs, labels = prepared.test
    right = trainer.correct(inputs, labels)
    interval = binomtest(right, len(labels)).proportion_ci(method="wilson")
    spent = made.epsilon(trainer.step)
    rate_at = getattr(made.defense, "rate_at", None)
    return {
        "epoch": epoch,
        "step": trainer.step,
        "accuracy": right / len(labels),
        "low": float(interval.low),
        "high": float(interval.high),
        "epsilon": None if spent == float("inf") else spent,
        "rate": rate_at(trainer.step - 1, made.steps) if rate_at else None,
        "wire_bytes": trainer.wire_bytes,
    }
