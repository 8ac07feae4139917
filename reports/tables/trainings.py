"""A row for each training, seeds pooled: its accuracy, and the epsilon that it spends."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reports.estimates import Estimate
from reports.panels.trained import Trained
from reports.tables.table import Cell, Row, Table, no_guarantee, numbers, percent, plain, value

HEADS = (
    "defense",
    "data",
    "model",
    "epochs",
    "accuracy (%)",
    "most frequent class (%)",
    "ε (PRV)",
    "ε (RDP)",
    "δ",
    "runs",
    "records",
)
BRIEF = (0, 1, 2, 4, 6, 8, 10)
"""Of the columns, those that go on paper."""


def training_table(trainings: Sequence[Trained]) -> Table:
    """The table of training runs."""
    caption = "Accuracy on test examples after whole training runs"
    return Table("trainings-table", caption, HEADS, tuple(map(_row, trainings)), BRIEF)


def _most(training: Trained, accountant: str) -> float:
    """The largest epsilon of the runs; NaN where one of them has no account of this kind."""
    spent = [run.epsilons.get(accountant, math.nan) for run in training.runs]
    return math.nan if any(map(math.isnan, spent)) else max(spent)


def _row(training: Trained) -> Row:
    first = training.runs[0]
    sources = [run.source for run in training.runs]
    spent = [value(_most(training, accountant), sources) for accountant in ("prv", "rdp")]
    if not all(run.holds for run in training.runs):
        spent = [no_guarantee(cell) for cell in spent]
    cells = (
        plain(training.label),
        plain(str(first.facts["data"])),
        plain(str(first.facts["model"])),
        plain(str(first.facts.get("epochs", "-"))),
        percent(training.accuracy, sources),
        percent(Estimate(first.guess), sources),
        *spent,
        Cell(f"{first.delta:g}", first.delta),
        Cell(str(len(sources)), float(len(sources))),
        numbers(sources),
    )
    return Row(training.anchor, cells)
