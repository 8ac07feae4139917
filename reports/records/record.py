"""What one Scenario came to, in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from reports.records.files import pack
from reports.records.headline import headline

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

VERSION = 2
"""Of the format in which Records are stored; `reports.records.upgrade` opens earlier ones.

1: ``result.json`` holds scenario, rows, summary, baseline, bounds and environment.
2: it says ``version`` and ``kind`` as well.
"""
MEASURED = ("seconds",)
"""Row fields that the clock sets, left out of `canonical`."""


@dataclass(frozen=True, repr=False)
class Record:
    """One Scenario's outcome, in the form of the present version.

    What rows, summary, baseline, bounds and arrays hold differs by kind and is told in
    `reports.records.inversion`, `membership`, `audit` and `training`.

    Attributes:
        kind: ``inversion``, ``observation`` (an inversion whose truth nobody knows),
            ``membership``, ``audit`` or ``training``.
        scenario: the Scenario's fields.
        rows: one dict per image, defense and column.
        summary: ``defense/column`` -> score -> mean, low, high, n.
        baseline: the same for guesses made without the release.
        bounds: defense -> what theory guarantees.
        environment: versions, machine, threads, seed, date.
        arrays: name -> tensor; images in [0, 1].
    """

    kind: str
    scenario: dict[str, Any]
    rows: Sequence[Mapping[str, Any]]
    summary: Mapping[str, Any]
    baseline: Mapping[str, Any]
    bounds: Mapping[str, Any]
    environment: dict[str, Any]
    arrays: dict[str, Tensor] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """All but the arrays, as ``result.json`` holds it."""
        names = ("kind", "scenario", "rows", "summary", "baseline", "bounds", "environment")
        return {"version": VERSION, **{name: getattr(self, name) for name in names}}

    def parts(self) -> dict[str, Any]:
        """The parts of the document whose form its kind declares, see `reports.records.form`."""
        return {n: getattr(self, n) for n in ("rows", "summary", "baseline", "bounds")}

    @classmethod
    def of(cls, document: dict[str, Any], arrays: dict[str, Tensor]) -> Record:
        """The Record that a `document` of the present version and its arrays are of.

        Raises:
            TypeError: a field is missing, or there is one that no Record has.
        """
        return cls(**{k: v for k, v in document.items() if k != "version"}, arrays=arrays)

    def __repr__(self) -> str:
        return f"<{headline(self.kind, self.scenario, self.rows, self.summary)}>"

    # What follows is for notebooks. The modules are asked for by name, as pandas asks for what
    # plots for it: whatever stores or draws Records imports this file.

    def _repr_html_(self) -> str:
        """The Record as a notebook shows it: its line, its picture, its Scenario."""
        html: str = import_module("reports.page.card").card(self)
        return html

    def plot(self) -> Figure:
        """The Record's chart as a matplotlib figure, which a notebook shows and `savefig` writes.

        Of an inversion that is the private images beside the guesses, of a membership attack its
        ROC, of an audit epsilon along the run, of a training its accuracy along the run.

        Raises:
            ValueError: the Record holds what no Record of its kind does.
        """
        figure: Figure = import_module("reports.page.card").plot(self)
        return figure

    def to_pandas(self) -> DataFrame:
        """The rows as a table; a column for each field, ``scores.loss`` for one within another.

        Raises:
            BadInput: pandas is not installed.
        """
        frame: DataFrame = import_module("reports.tables.frame").frame(self.rows)
        return frame

    def save(self, folder: str | Path) -> Path:
        """Store the Record; `reports.records.load.save` says what is refused.

        Returns:
            The folder, which ``Record.load`` and ``python -m reports.build`` read.
        """
        path: Path = import_module("reports.records.load").save(self, folder)
        return path

    @staticmethod
    def load(folder: str | Path) -> Record:
        """The Record in a folder, or the only one below it; see `reports.records.load.load`."""
        record: Record = import_module("reports.records.load").load(folder)
        return record


def canonical(record: Record) -> bytes:
    """What two runs of a Scenario must share byte for byte: all but clock and machine.

    How it is stored is left out too, so that it can be compared across versions of the format.
    """
    document = record.document()
    for name in ("version", "kind", "environment"):
        del document[name]
    document["rows"] = [{k: v for k, v in row.items() if k not in MEASURED} for row in record.rows]
    return json.dumps(document, sort_keys=True).encode() + pack(record.arrays)
