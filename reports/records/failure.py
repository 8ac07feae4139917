"""A Scenario that came to no Record: what is kept of it in ``error.json``, written and read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports.records.checks import clean
from reports.records.files import atomic

ERROR = "error.json"
"""File of a failure, where ``result.json`` would be."""
UNREADABLE = "failed without a readable reason"


@dataclass(frozen=True)
class Failure:
    """A Scenario that has no Record.

    Attributes:
        path: the folder in which its Record would be.
        scenario: the Scenario's fields; empty where they are not known.
        command: the command that runs it alone; may be empty.
        error: one line that says why there is none.
        traceback: where the error was raised, for whoever mends it; may be empty.
    """

    path: Path
    scenario: Mapping[str, Any]
    command: str
    error: str
    traceback: str = ""

    def write(self) -> Path:
        """Keep the failure in its folder; returns the file."""
        names = ("scenario", "command", "error", "traceback")
        text = json.dumps({name: getattr(self, name) for name in names}, indent=1)
        self.path.mkdir(parents=True, exist_ok=True)
        with atomic(self.path / ERROR) as scratch:
            scratch.write_text(text + "\n", encoding="utf-8")
        return self.path / ERROR


def read_failure(folder: Path) -> Failure:
    """The failure in a folder, with strings that every output format can hold.

    What cannot be read, or was not kept (no version before 0.2 kept the scenario), is empty.
    """
    try:
        found = clean(json.loads((folder / ERROR).read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        found = None
    found = found if isinstance(found, dict) else {}
    scenario = found.get("scenario")
    texts = {n: v for n in ("command", "error", "traceback") if isinstance(v := found.get(n), str)}
    return Failure(
        path=folder,
        scenario=scenario if isinstance(scenario, dict) else {},
        command=texts.get("command", ""),
        error=" ".join(texts.get("error", "").split()) or UNREADABLE,
        traceback=texts.get("traceback", ""),
    )
