"""A row for each training, seeds pooled: its accuracy, and the epsilon that it spends."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reports.estimates import Estimate
from reports.panels.trained import Trained
from reports.tables.table import Cell, Row, Table, no_guarantee, numbers, percent, plain, value


def training_table(found: Sequence[Trained]) -> Table:
    """A row per training, seeds pooled."""
    heads = (
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
    rows = []
    for one in found:
        run = one.runs[0]
        own = [r.source for r in one.runs]
        guess = Estimate(run.guess)
        spent = [
            value(max(r.epsilons.get(a, math.nan) for r in one.runs), own) for a in ("prv", "rdp")
        ]
        if not all(r.holds for r in one.runs):
            spent = [no_guarantee(cell) for cell in spent]
        cells = (
            plain(one.label),
            plain(str(run.facts["data"])),
            plain(str(run.facts["model"])),
            plain(str(run.facts.get("epochs", "-"))),
            percent(one.accuracy, own),
            percent(guess, own),
            *spent,
            Cell(f"{run.delta:g}", run.delta),
            Cell(str(len(own)), float(len(own))),
            numbers(own),
        )
        rows.append(Row(one.anchor, cells))
    caption = "Accuracy on test examples after whole training runs"
    return Table("trainings-table", caption, heads, tuple(rows), (0, 1, 2, 4, 6, 8, 10))
