"""What one Scenario came to, in memory."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from reports.records.files import pack

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
