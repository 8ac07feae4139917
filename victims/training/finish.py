"""A training drawn to its end, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from reports import records
from reports.records.kinds import check_written
from reports.records.training import Row
from victims.training.prepare import Prepared
from victims.training.record import record_of
from victims.training.show import show, show_spent
from victims.training.weights import write_weights


def train_to_the_end(rows: Iterable[Row]) -> list[Row]:
    """Draw every row from `victims.training.run.run`, which trains, and print each as it comes."""
    finished = []
    for row in rows:
        show(row)
        finished.append(row)
    return finished


def finish(prepared: Prepared, rows: list[Row], out: Path, device: str, again: str) -> list[Path]:
    """Write weights, and last the Record, and print what was spent; ``again`` is the command.

    Returns:
        The paths of the files.
    """
    weights = write_weights(prepared, out / "weights.safetensors")
    record = record_of(prepared, rows, device, again)
    show_spent(record)
    return [weights, records.write(check_written(record), out)]
