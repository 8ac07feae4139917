"""The hidden file in a folder of results: its lock, and whose results lie there."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from defenses import BadInput
from reports.commands.listing import RESULTS
from reports.commands.locking import lock

MARK = RESULTS
"""Hidden file in the folder: the lock, and whose results lie there."""

LONGEST = 2**20
"""Bytes of it that are read."""


def lock_folder(folder: Path) -> int:
    """The descriptor of the folder's `MARK`, locked."""
    path = folder / MARK
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        except (OSError, ValueError) as error:
            raise unwritable_error(folder, error) from error
        if not lock(handle):
            os.close(handle)
            raise BadInput(
                f"another run is writing into {folder}: wait for it, or choose another --out"
            )
        with suppress(OSError):  # the run before may have removed what was opened
            if os.path.samestat(os.fstat(handle), os.stat(path)):
                return handle
        os.close(handle)


def read_mark(handle: int) -> dict[str, Any]:
    """What the mark says; nothing where it is new.

    Raises:
        BadInput: there is a file of that name that no command of ours wrote.
    """
    os.lseek(handle, 0, os.SEEK_SET)
    text = os.read(handle, LONGEST)
    if not text:
        return {}
    try:
        told = json.loads(text)
        if isinstance(told["command"], str):
            return dict(told)
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    raise BadInput(f"the folder's {MARK} is not of leakgauge: choose another --out")


def write_mark(handle: int, facts: dict[str, Any]) -> None:
    """Put the facts in place of what the mark said."""
    text = json.dumps(facts).encode() + b"\n"
    os.lseek(handle, 0, os.SEEK_SET)
    os.write(handle, text)
    os.ftruncate(handle, len(text))


def unwritable_error(folder: Path, error: Exception) -> BadInput:
    """That a folder of results cannot be written, and why."""
    why = getattr(error, "strerror", None) or str(error)
    return BadInput(f"--out {folder} cannot be written: {why}")
