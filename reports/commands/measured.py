"""Keeps what a benchmark has measured so far in a file that is whole at every moment."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reports.records.files import atomic


@dataclass
class Measured:
    """The rows of a benchmark.

    Attributes:
        path: the JSON file, written anew with each row; None: no file.
        facts: what holds for all rows: the command, its flags, machine, versions and date.
        rows: what has been measured.
    """

    path: Path | None
    facts: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, **row: Any) -> None:
        """Keep one more row."""
        self.rows.append(row)
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(self.path) as scratch:
            scratch.write_text(json.dumps({**self.facts, "rows": self.rows}, indent=1) + "\n")
