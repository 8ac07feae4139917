"""Records as JSON and safetensors in a folder, written so that a kill loses little.

A folder holds ``result.json`` (written last: where it is, the run is complete),
``arrays.safetensors``, the figures, and while the run lasts ``partial/`` with finished pieces.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from defenses import BadInput
from reports.commands.owned import PIECES, remove
from reports.records.files import atomic, pack
from reports.records.record import Record
from reports.records.upgrade import upgrade


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
    """The Record in a folder, or None when it is not complete or not readable.

    Raises:
        BadInput: a later version of leakgauge wrote it.
    """
    try:
        return open_record(folder)
    except BadInput as error:
        raise BadInput(f"{folder} holds a result that cannot be read: {error}") from error


def open_record(folder: Path) -> Record | None:
    """The same for who says where the Record lies; the error says what is wrong with it alone."""
    try:
        document = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        arrays = load((folder / "arrays.safetensors").read_bytes())
        return Record.of(upgrade(document, arrays), arrays)
    except BadInput:
        raise
    except (OSError, ValueError, TypeError, AttributeError, RecursionError, SafetensorError):
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
