"""Saves and reads checkpoints: tensors and facts in one safetensors file, never unpickled."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from defenses import BadInput
from defenses.errors import is_refused
from defenses.foreign import refuse_code
from defenses.privacy.accounting import Spent
from reports.records.packed import DAMAGE, read_packed, write_packed
from reports.records.training import Row
from victims.training.ledger import spent_of
from victims.training.scenario import Training

LATEST = "checkpoint.safetensors"
FORMAT = "leakgauge-training-1"


@dataclass(frozen=True)
class Checkpoint:
    """A training run at one step.

    Attributes:
        training: the run's `Training`, as a document.
        step: the number of steps done.
        rows: a row per epoch that was finished so far.
        ledger: (noise multiplier, sample rate, steps) of every training of this data so far.
        state: all that changes in its trainer, see `victims.training.state`.
        key: the key of the run's streams, which changes with its data; see
            `victims.training.streams.run_key`. "" for a secure run, of which nothing is written
            that tells data or noise.
    """

    training: dict[str, Any]
    step: int
    rows: list[Row]
    ledger: list[Spent]
    state: dict[str, Tensor]
    key: str = ""


def save(checkpoint: Checkpoint, path: Path) -> Path:
    """Write a checkpoint; a kill leaves the one that was there. Returns ``path``."""
    facts = {k: getattr(checkpoint, k) for k in ("training", "step", "rows", "ledger", "key")}
    return write_packed(path, FORMAT, facts, checkpoint.state)


def holds_run(folder: Path) -> bool:
    """Whether the latest checkpoint of a training run lies in a folder."""
    return not is_refused(read, folder / LATEST)


def read(path: Path) -> Checkpoint:
    """Read a checkpoint from a file.

    Raises:
        BadInput: the file is missing, truncated, or no checkpoint.
    """
    facts, state = read_packed(path, FORMAT, "checkpoint of a training")
    try:
        training, ledger = facts["training"], spent_of(facts["ledger"])
        if not isinstance(training, dict):
            raise ValueError(f"its training is {training!r:.40}")
        key = str(facts.get("key", ""))
        return Checkpoint(training, int(facts["step"]), facts["rows"], ledger, state, key)
    except DAMAGE as error:
        raise BadInput(f"{path} holds a damaged checkpoint: {error}") from error


def training_in(checkpoint: Checkpoint, source: Path, code: Collection[str] = ()) -> Training:
    """The settings of a checkpoint's run.

    Args:
        checkpoint: a checkpoint from a file.
        source: where it lies, for the message.
        code: specs of code (``pkg.module:object``) that the user's own command line names; no
            other is imported.

    Raises:
        BadInput: it names other code, or fields that no training has.
    """
    refuse_code(checkpoint.training, source, code)
    try:
        return Training(**checkpoint.training)
    except (TypeError, ValueError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"{source} was written by another version: {error}") from error
