"""Checkpoints: tensors and facts in one safetensors file, written atomically, never unpickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from defenses import BadInput
from defenses.accounting import Spent
from reports.records import atomic

LATEST = "checkpoint.safetensors"
FORMAT = "leakgauge-training-1"


@dataclass(frozen=True)
class Checkpoint:
    """A training run at one step.

    Attributes:
        training: the run's `Training`, as a document.
        step: steps done.
        rows: what was reported per epoch so far.
        ledger: (noise multiplier, sample rate, steps) of every training of this data so far.
        state: see `Trainer.state`; its random streams follow from the seed and the step.
    """

    training: dict[str, Any]
    step: int
    rows: list[dict[str, Any]]
    ledger: list[Spent]
    state: dict[str, Tensor]


def save(checkpoint: Checkpoint, path: Path) -> Path:
    """Write a checkpoint; a kill leaves the one that was there. Returns ``path``."""
    facts = {k: getattr(checkpoint, k) for k in ("training", "step", "rows", "ledger")}
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as scratch:
        save_file(checkpoint.state, scratch, {"format": FORMAT, "facts": json.dumps(facts)})
    return path


def present(folder: Path) -> bool:
    """Whether the latest checkpoint of a training run lies in a folder."""
    try:
        read(folder / LATEST)
    except BadInput:
        return False
    return True


def read(path: Path) -> Checkpoint:
    """A checkpoint from a file.

    Raises:
        BadInput: the file is missing, truncated, or no checkpoint.
    """
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            about = file.metadata() or {}
            state = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118  (not a dict)
        if about.get("format") != FORMAT:
            raise BadInput(f"{path} is no training checkpoint ({FORMAT})")
        facts = json.loads(about["facts"])
        ledger = [(float(n), float(q), int(s)) for n, q, s in facts["ledger"]]
        return Checkpoint(facts["training"], int(facts["step"]), facts["rows"], ledger, state)
    except (OSError, SafetensorError) as error:
        raise BadInput(f"{path} is not a readable checkpoint: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"{path} holds a damaged checkpoint: {error}") from error


def earlier_spending(path: Path, data: Mapping[str, Any]) -> tuple[Spent, ...]:
    """What the weights in ``path`` have already spent on the same data; () for other files.

    Args:
        path: a safetensors file to start from; ``ledger`` in its metadata says what it cost.
        data: ``data``, ``count``, ``size`` and ``seed`` of the training to come. Weights trained
            on any part of the same data set are taken to have seen the same people.
    """
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            about = file.metadata() or {}
        facts = json.loads(about.get("facts", "{}"))
        if facts.get("training", {}).get("data") != data["data"]:
            return ()
        return tuple((float(n), float(q), int(s)) for n, q, s in facts["ledger"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return ()
