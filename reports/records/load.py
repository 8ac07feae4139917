"""A Record by the folder that it lies in, for people: every way to miss it is told in one line."""

from __future__ import annotations

from pathlib import Path

from defenses import BadInput
from reports.records.find import gather
from reports.records.record import Record, canonical
from reports.records.store import read, write

SHOWN = 3
"""At most so many folders are named where one must be chosen."""


def load(path: str | Path) -> Record:
    """The Record in a folder, or the only one below it.

    Args:
        path: the folder, such as ``runs/invert-HASH``, its ``result.json``, or a folder above it.

    Raises:
        BadInput: there is none, none that can be read, or more than one.
    """
    folder = Path(path)
    folder = folder.parent if folder.name == "result.json" else folder
    if (folder / "result.json").is_file():
        record = read(folder)
        if record is None:
            raise BadInput(f"{folder} holds no Record that can be read: its run is not complete")
        return record
    found = gather([folder])
    if len(found.sources) == 1:
        return found.sources[0].record
    if found.sources:
        names = ", ".join(str(s.path) for s in found.sources[:SHOWN])
        more = f" and {len(found.sources) - SHOWN} more" if len(found.sources) > SHOWN else ""
        raise BadInput(f"{folder} holds {len(found.sources)} Records, load one: {names}{more}")
    why = "; ".join(reason for _, reason in found.skipped[:SHOWN])
    raise BadInput(f"{folder} holds no Record" + (f": {why}" if why else ""))


def save(record: Record, path: str | Path) -> Path:
    """Store a Record in a folder of its own; the same Record may be stored there again.

    Args:
        record: any Record.
        path: of the folder, which is made where there is none.

    Returns:
        The folder.

    Raises:
        BadInput: the folder holds another Record, or is no folder.
    """
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"{folder} is a file: a Record is stored in a folder")
    if (folder / "result.json").exists():
        there = read(folder)
        if there is None or canonical(there) != canonical(record):
            raise BadInput(f"{folder} holds another result: choose another folder")
    write(record, folder)
    return folder
