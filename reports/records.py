"""Records: what one Scenario came to, as JSON and safetensors, written so that a kill loses little.

A folder holds ``result.json`` (written last: where it is, the run is complete),
``arrays.safetensors``, the figures, and while the run lasts ``partial/`` with finished pieces.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from reports.commands.owned import PIECES, remove

MEASURED = ("seconds",)
"""Row fields that the clock sets, left out of `canonical`."""


@dataclass(frozen=True)
class Record:
    """One Scenario's outcome; see DESIGN for the fields.

    Attributes:
        scenario: the Scenario's fields.
        rows: one dict per image, defense and column.
        summary: ``defense/column`` -> score -> mean, low, high, n.
        baseline: the same for guesses made without the release.
        bounds: defense -> what theory guarantees.
        environment: versions, machine, threads, seed, date.
        arrays: name -> tensor; images in [0, 1].
    """

    scenario: dict[str, Any]
    rows: list[dict[str, Any]]
    summary: dict[str, Any]
    baseline: dict[str, Any]
    bounds: dict[str, Any]
    environment: dict[str, Any]
    arrays: dict[str, Tensor] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """All but the arrays, as ``result.json`` holds it."""
        names = ("scenario", "rows", "summary", "baseline", "bounds", "environment")
        return {name: getattr(self, name) for name in names}


def canonical(record: Record) -> bytes:
    """What two runs of a Scenario must share byte for byte: all but clock and machine."""
    document = record.document()
    del document["environment"]
    document["rows"] = [{k: v for k, v in row.items() if k not in MEASURED} for row in record.rows]
    return json.dumps(document, sort_keys=True).encode() + pack(record.arrays)


def write(record: Record, folder: Path) -> Path:
    """Store a Record; ``result.json`` comes last. Returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    with atomic(folder / "arrays.safetensors") as scratch:
        scratch.write_bytes(pack(record.arrays))
    with atomic(folder / "result.json") as scratch:
        text = json.dumps(record.document(), indent=1, allow_nan=False)
        scratch.write_text(text + "\n", encoding="utf-8")
    remove(folder, PIECES)
    return folder / "result.json"


def read(folder: Path) -> Record | None:
    """The Record in a folder, or None when it is not complete or not readable."""
    try:
        document = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        arrays = load((folder / "arrays.safetensors").read_bytes())
        return Record(**document, arrays=arrays)
    except (OSError, ValueError, TypeError, SafetensorError):
        return None


class Partial:
    """Finished pieces of a run that is still going on, one file each.

    Args:
        folder: the Record's folder; pieces lie in ``partial/`` below it.
        content: digest of the data that they are made of; pieces of other data are not found.
    """

    def __init__(self, folder: Path, content: str = "") -> None:
        self.folder = folder / "partial"
        self.content = f"{content[:10]}-" if content else ""

    def load(self, key: str) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
        """A piece's facts and arrays, or None when it is not there."""
        try:
            arrays = load((self.folder / f"{self.content}{key}.safetensors").read_bytes())
            facts = json.loads(
                (self.folder / f"{self.content}{key}.json").read_text(encoding="utf-8")
            )
        except (OSError, ValueError, SafetensorError):
            return None
        return facts, arrays

    def save(self, key: str, facts: dict[str, Any], arrays: dict[str, Tensor]) -> None:
        """Store a piece; its facts come last, so that half a piece is none."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic(self.folder / f"{self.content}{key}.safetensors") as scratch:
            scratch.write_bytes(pack(arrays))
        with atomic(self.folder / f"{self.content}{key}.json") as scratch:
            scratch.write_text(json.dumps(facts), encoding="utf-8")


def pack(arrays: dict[str, Tensor]) -> bytes:
    """Tensors as the bytes of a safetensors file."""
    packed: bytes = save({k: v.detach().cpu().contiguous() for k, v in arrays.items()})
    return packed


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A scratch path beside ``path`` that takes its place when the block ends without an error."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}{path.suffix}")
    try:
        yield scratch
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)
