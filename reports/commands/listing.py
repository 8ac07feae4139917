"""What lies in a folder or in a zip, by name: nothing hidden, nothing outside, nothing endless."""

from __future__ import annotations

import os
import re
import stat
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from defenses import BadInput

MAX_BYTES = 64 * 2**20
"""A larger file, or entry of a zip, is refused."""
MAX_FILES = 2**22
"""A folder or zip of more files is refused: links can multiply what is there without end."""
SYSTEM = ("__MACOSX", "Thumbs.db", "desktop.ini", "@eaDir")
"""Names that an operating system leaves behind, beside those with a dot in front."""
DRIVE = re.compile("[A-Za-z]:/")
RESULTS = ".leakgauge"
"""Hidden file that commands put beside their results, see `reports.commands.claim`."""
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Other packings may unpack a few bytes to gigabytes at once."""


@dataclass
class Source:
    """Files and folders below one place.

    Attributes:
        path: of the folder or zip.
        open: a file by its name, for reading.
        files: names with ``/``, relative to ``path``.
        folders: names of the folders, with ``/`` and relative to ``path``; also of empty ones.
        passed: name -> why it is no part of the data.
    """

    path: Path
    open: Callable[[str], IO[bytes]]
    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    passed: dict[str, str] = field(default_factory=dict)

    def read(self, name: str) -> bytes:
        """A file's bytes.

        Raises:
            OSError: it cannot be read, or has more than `MAX_BYTES`.
        """
        with self.open(name) as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise OSError(f"it has more than {MAX_BYTES >> 20} MiB")
        return content


def source(path: Path) -> Source:
    """The files of a folder, or of a ``.zip`` that stays packed.

    Symbolic links are followed, wherever they lead, but for one that leads to a folder above it.

    Raises:
        BadInput: no such path, no readable zip, links that go round, or more than `MAX_FILES`.
    """
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise BadInput(f"{path} does not exist; folder: takes a folder of class folders or a zip")
    return _zip(path)


def _holds_results(folder: Path) -> bool:
    """Whether results of a command lie in a folder, or below it as in ``runs``: no class of data.

    A command run beside the data writes there, before it reads them.
    """
    return (folder / RESULTS).exists() or any(folder.glob(f"*/{RESULTS}"))


def _folder(path: Path) -> Source:
    found = Source(path, lambda name: (path / name).open("rb"))
    above: dict[str, frozenset[tuple[int, int]]] = {}
    for place, folders, files in os.walk(path, followlinks=True, onerror=_refuse_unlisted):
        start = Path(place).relative_to(path)
        about = os.stat(place)
        trail = above.get(place, frozenset())
        if (about.st_dev, about.st_ino) in trail:
            raise BadInput(f"{path}/{start.as_posix()} is a link to a folder that holds it")
        trail |= {(about.st_dev, about.st_ino)}
        for name in sorted(folders):
            inner = (start / name).as_posix()
            if _is_hidden(name) or _holds_results(path / inner):
                found.passed[inner] = "hidden" if _is_hidden(name) else "results of leakgauge"
                folders.remove(name)
            else:
                found.folders.append(inner)
                above[os.path.join(place, name)] = trail
        for name in files:
            inner = (start / name).as_posix()
            if _is_hidden(name):
                found.passed[inner] = "hidden"
            elif not _ends(path / inner):
                found.passed[inner] = "no file"
            else:
                found.files.append(inner)
        _refuse_endless(path, len(found.files) + len(found.folders) + len(found.passed))
    return found


def _refuse_unlisted(error: OSError) -> None:
    raise BadInput(f"{error.filename} cannot be listed: {error.strerror}")


def _ends(path: Path) -> bool:
    """Whether reading it ends; a link to nothing says itself what it is when it is read."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True


def _zip(path: Path) -> Source:
    try:
        archive = zipfile.ZipFile(path)
        entries = archive.infolist()
    except Exception as error:  # zipfile raises all kinds of things on foreign bytes
        raise BadInput(f"{path} is neither a folder nor a readable zip: {error}") from error
    _refuse_endless(path, len(entries))
    known: dict[str, zipfile.ZipInfo] = {}
    found = Source(path, lambda name: _open_entry(archive, known[name]))
    for entry in entries:
        told = entry.filename.replace("\\", "/")  # as some Windows programs write it
        parts = PurePosixPath(told).parts
        if not parts or ".." in parts or told.startswith("/") or DRIVE.match(told):
            raise BadInput(f"{path} holds {entry.filename!r}, which leads out of the zip")
        name = "/".join(parts)
        if any(map(_is_hidden, parts)):
            found.passed[name] = "hidden"
        elif told.endswith("/"):
            found.folders.append(name)
        elif name in known:
            raise BadInput(f"{path} holds {name!r} twice")
        else:
            known[name] = entry
            found.files.append(name)
    for name in found.files:
        found.folders += [p.as_posix() for p in PurePosixPath(name).parents if p.name]
    found.folders = list(dict.fromkeys(found.folders))
    return found


def _open_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> IO[bytes]:
    if entry.flag_bits & 1:
        raise OSError("it is encrypted")
    if entry.compress_type not in PACKED:
        raise OSError("it is packed otherwise than by deflate")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise OSError("it is a symbolic link, which a zip does not follow")
    if entry.file_size > MAX_BYTES:
        raise OSError(f"it unpacks to more than {MAX_BYTES >> 20} MiB")
    return archive.open(entry)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name in SYSTEM


def _refuse_endless(path: Path, files: int) -> None:
    if files > MAX_FILES:
        raise BadInput(f"{path} holds more than {MAX_FILES:,} files")
