"""A command's folder of results: one run's at a time, nobody else's, emptied of its own alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from defenses import BadInput
from reports.commands.mark import MARK, lock_folder, read_mark, unwritable_error, write_mark
from reports.commands.owned import PIECES, files_of, remove


@dataclass(frozen=True)
class Writes:
    """What a command leaves in its folder.

    Attributes:
        command: ``attacks.invert``, say.
        names: glob patterns of its files, relative to the folder.
    """

    command: str
    names: tuple[str, ...]


class Claim:
    """A folder that this run may write into until `claim` ends.

    Args:
        folder: the folder, which exists.
        writes: what the command leaves in it.
        handle: file descriptor of the locked `MARK`.
        own: whether results of the same command lie there, finished or not.
    """

    def __init__(self, folder: Path, writes: Writes, handle: int, own: bool) -> None:
        self.folder, self.writes, self.own = folder, writes, own
        self._handle = handle

    def refuse_strangers(self) -> None:
        """What ``--fresh`` needs: the folder is empty, or holds results of this command.

        Raises:
            BadInput: it holds something else; nothing has been deleted.
        """
        if not self.own and any(p.name != MARK for p in self.folder.iterdir()):
            raise BadInput(
                f"{self.folder} is not known to hold results of {self.writes.command}: --fresh "
                "deletes nothing there; choose another --out"
            )

    def clear(self, names: tuple[str, ...] | None = None) -> None:
        """Delete the command's files, or those of them that are named."""
        remove(self.folder, self.writes.names if names is None else names)

    def made(self) -> Any:
        """What `finish` was told by the run before; None where none has finished."""
        return read_mark(self._handle).get("made")

    def finish(self, made: Any) -> None:
        """Remember what was made, as JSON holds it, for commands without a ``result.json``."""
        write_mark(self._handle, {"command": self.writes.command, "made": made})


@contextmanager
def claim(
    folder: Path, writes: Writes, recognise: Callable[[Path], bool] = lambda folder: False
) -> Iterator[Claim]:
    """Hold a folder for this run: made where it is missing, locked, and found to be writable.

    A run that writes nothing leaves nothing: not the folder either, where it was not there.

    Args:
        folder: of the results.
        writes: what the command may leave in it.
        recognise: whether a folder without `MARK` holds results of the same command.

    Raises:
        BadInput: it is no folder, cannot be written, holds files of the command's names that
            are another's, or another run has it.
    """
    missing = _missing_folders(folder)
    handle, told, entered = -1, None, False
    try:
        handle = lock_folder(folder)
        told = read_mark(handle)
        own = told.get("command") == writes.command or (not told and recognise(folder))
        _check(folder, writes, told, own)
        if not told:
            write_mark(handle, {"command": writes.command})
        entered = True
        yield Claim(folder, writes, handle, own)
    finally:
        if told is not None:
            useless = not any(files_of(folder, writes.names)) if entered else not told
            if useless and (not told or _only_marked(folder)):
                with suppress(OSError):
                    (folder / MARK).unlink()
        if handle >= 0:
            os.close(handle)
        _remove_empty(missing)


def probe(folder: Path) -> None:
    """Find out whether `claim` could have the folder, and leave all as it was.

    Raises:
        BadInput: it is no folder, cannot be written, or another run has it.
    """
    missing = _missing_folders(folder)
    try:
        handle = lock_folder(folder)
        if not read_mark(handle):
            with suppress(OSError):
                (folder / MARK).unlink()
        os.close(handle)
    finally:
        _remove_empty(missing)


def _missing_folders(folder: Path) -> list[Path]:
    """The folder and those above it that are not there, innermost first."""
    try:
        if folder.exists() and not folder.is_dir():
            raise BadInput(f"--out {folder} is a file; it must be a folder")
        return [p for p in (folder, *folder.parents) if not p.exists()]
    except (OSError, ValueError) as error:
        raise unwritable_error(folder, error) from error


def _remove_empty(folders: list[Path]) -> None:
    for path in folders:  # those that are in use stay
        with suppress(OSError, ValueError):
            path.rmdir()


def _check(folder: Path, writes: Writes, told: dict[str, Any], own: bool) -> None:
    if told and not own:
        raise BadInput(f"{folder} holds results of {told['command']}: choose another --out")
    if own:
        return
    # Pieces are named by the hash of what they belong to: nobody else's are taken for ours.
    names = [name for name in writes.names if name not in PIECES]
    strange = next(files_of(folder, names), None)
    if strange is not None:
        raise BadInput(
            f"{folder} holds {strange.relative_to(folder)}, which is not known to be of "
            f"{writes.command}: choose another --out"
        )


def _only_marked(folder: Path) -> bool:
    return [p.name for p in folder.iterdir()] == [MARK]
