"""The checkpoints of a run: taken of it, found again, and gone on from where they are of it."""

from __future__ import annotations

from pathlib import Path

from defenses import BadInput
from reports.records.training import Row
from victims.training import checkpoint as store
from victims.training.state import restore, state
from victims.training.streams import Repeatable
from victims.training.trainer import Trainer


def checkpoints_in(folder: Path) -> list[store.Checkpoint]:
    """All checkpoints of the run in a folder."""
    paths = sorted((folder / "checkpoints").glob("step-*.safetensors"))
    return [store.read(p) for p in (*paths, folder / store.LATEST) if p.exists()]


def resume(trainer: Trainer, folder: Path | None) -> list[Row]:
    """Load the furthest checkpoint of this training where there is one; its rows.

    The furthest, not the latest written: what lies in the folder may have been seen, and a secure
    run that went there again would go another way.
    """
    if folder is None:
        return []
    latest = store.read(folder / store.LATEST) if (folder / store.LATEST).exists() else None
    named = sorted((folder / "checkpoints").glob("step-*.safetensors"))
    if named and (latest is None or named[-1].stem > f"step-{latest.step:06d}"):
        latest = store.read(named[-1])
    if latest is None:
        return []
    check_run(latest, trainer, folder)
    restore(trainer, latest.state)
    return latest.rows


def check_run(checkpoint: store.Checkpoint, trainer: Trainer, folder: Path) -> None:
    """Raise `BadInput` where a checkpoint is not of the trainer's run."""
    plan = trainer.plan
    if checkpoint.training != plan.training.document():
        raise BadInput(f"{folder} holds another training run: choose another --out, or --fresh")
    if checkpoint.key == "" and not plan.training.secure:
        raise BadInput(
            f"{folder} was trained by an earlier version, whose noise followed from the seed "
            "alone and cannot go on: choose another --out, or --fresh"
        )
    if checkpoint.key != key_of(trainer) or checkpoint.ledger != plan.ledger(checkpoint.step):
        raise BadInput(
            f"the data, weights or public data of the run in {folder} have changed since it began: "
            "choose another --out, or --fresh"
        )


def key_of(trainer: Trainer) -> str:
    """The key of the run's streams; "" for a secure run."""
    return trainer.draw.key if isinstance(trainer.draw, Repeatable) else ""


def snapshot(trainer: Trainer, rows: list[Row]) -> store.Checkpoint:
    """The run as it is now."""
    plan = trainer.plan
    document, ledger = plan.training.document(), plan.ledger(trainer.step)
    return store.Checkpoint(document, trainer.step, rows, ledger, state(trainer), key_of(trainer))
