"""Removing what a command wrote, known by name, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

PIECES = ("partial/" + "[0-9a-f]" * 10 + "-*.json", "partial/" + "[0-9a-f]" * 10 + "-*.safetensors")
"""Finished pieces of a run that has not ended, see `reports.records.Partial`."""


def files_of(folder: Path, names: Iterable[str]) -> Iterator[Path]:
    """The files in ``folder`` that match ``names``; nothing behind a symbolic link below it.

    Args:
        folder: of a command's results; may be a link itself.
        names: glob patterns relative to it. Scratch files of an interrupted write count as the
            file that they were to become.
    """
    for name in names:
        above, _, last = name.rpartition("/")
        for pattern in (name, f"{above}/.{last}.[0-9]*".lstrip("/")):
            for path in folder.glob(pattern):
                inner = path.relative_to(folder).parents
                if any((folder / part).is_symlink() for part in inner if part.parts):
                    continue
                if path.is_symlink() or path.is_file():
                    yield path


def remove(folder: Path, names: Iterable[str]) -> None:
    """Delete the files that `files_of` finds, and the sub-folders that this leaves empty."""
    for path in list(files_of(folder, names)):
        path.unlink(missing_ok=True)
        for above in path.relative_to(folder).parents:
            if above.parts:
                _remove_empty(folder / above)


def _remove_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:  # somebody's files are still in it
        return
