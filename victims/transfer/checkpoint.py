"""Keeps the releases of a fit in files, so that one that was killed goes on where it was.

They are all that a fit is: a method learns of the private examples through them alone, and so
comes to the same head where it is answered the same. They cost no privacy, for they are what the
account is of. Of a secure fit, whose noise nobody can draw again, what lies in the folder may have
been seen: it is taken up, and never drawn anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from defenses import BadInput
from reports.commands.owned import remove
from reports.records.packed import DAMAGE, read_packed, write_packed

FORMAT = "leakgauge-releases-1"
PIECES = "releases/from-*.safetensors"
"""Files of releases in a folder of a fit, named by the number of their first."""
SAVE_SECONDS = 60.0

Name = tuple[object, ...]


class Asked(NamedTuple):
    """What a method asked the mechanism for; another question takes no kept answer.

    Attributes:
        name: of the release.
        sensitivity: L2 norm by which one example more or less can move it.
        symmetric: whether it is a matrix that equals its transpose.
    """

    name: Name
    sensitivity: float
    symmetric: bool = False

    def document(self) -> list[Any]:
        """As JSON holds it, with every bit of the sensitivity."""
        return [list(self.name), float(self.sensitivity).hex(), self.symmetric]

    @classmethod
    def read(cls, value: Any) -> Asked:
        """Raises TypeError or ValueError where it is no such document."""
        name, sensitivity, symmetric = value
        return cls(tuple(name), float.fromhex(sensitivity), bool(symmetric))


class Checkpoint:
    """The releases of one fit so far.

    Args:
        folder: of the fit; releases that lie in it are taken up.
        of: what the fit is of, as JSON holds it; nothing in it that noise does not hide, where the
            fit is secure.
        save_seconds: releases are written when the last were so long ago, >= 0; what was not
            written when a fit was killed was seen by nobody.
        now: seconds on a clock that never goes back.

    Raises:
        BadInput: the folder holds releases of another fit, or damaged ones.
    """

    def __init__(
        self,
        folder: Path,
        of: dict[str, Any],
        save_seconds: float = SAVE_SECONDS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder, self.of, self.save_seconds, self.now = folder, of, save_seconds, now
        self.known: list[tuple[Asked, Tensor]] = []
        self.written = 0
        self.saved = now()
        for path in sorted(folder.glob(PIECES)):
            self.known += self._read(path)
        self.written = len(self.known)

    def recall(self, number: int, asked: Asked) -> Tensor | None:
        """The release of a number, from 0; None where it has not been made.

        Raises:
            BadInput: that number was made for another question, with other noise perhaps.
        """
        if number >= len(self.known):
            return None
        kept, value = self.known[number]
        if kept != asked:
            raise BadInput(
                f"release {number} in {self.folder} is {kept.name} at sensitivity "
                f"{kept.sensitivity:g}; the method now asks for {asked.name} at "
                f"{asked.sensitivity:g}: choose another --out"
            )
        return value

    def keep(self, value: Tensor, asked: Asked) -> None:
        """Take a new release up, and write all that are not written yet when it is time."""
        self.known.append((asked, value))
        if self.now() - self.saved >= self.save_seconds:
            self.flush()
            self.saved = self.now()

    def flush(self) -> None:
        """Write all that are not written yet: before anybody sees what they come to."""
        if fresh := self.known[self.written :]:
            facts = {"of": self.of, "asked": [asked.document() for asked, _ in fresh]}
            path = self.folder / PIECES.replace("*", f"{self.written:08d}")
            tensors = {str(i): value for i, (_, value) in enumerate(fresh)}
            write_packed(path, FORMAT, facts, tensors)
            self.written += len(fresh)

    def clear(self) -> None:
        """Delete the files: the fit has ended, and what it came to is written."""
        remove(self.folder, (PIECES,))

    def _read(self, path: Path) -> list[tuple[Asked, Tensor]]:
        facts, tensors = read_packed(path, FORMAT, "file of a head's releases")
        if facts.get("of") != self.of:
            raise BadInput(
                f"{self.folder} holds a fit that was not finished, of other flags, data, code "
                "or version: choose another --out, or --fresh to begin again"
            )
        try:
            asked = [Asked.read(value) for value in facts["asked"]]
            return [(one, tensors[str(i)]) for i, one in enumerate(asked)]
        except DAMAGE as error:
            raise BadInput(f"{path} holds damaged releases of a head: {error}") from error


def holds_releases(folder: Path) -> bool:
    """Whether a folder holds releases of a fit that was not finished."""
    return any(folder.glob(PIECES))
