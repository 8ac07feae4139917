"""A table as CSV, for spreadsheets and programs."""

from __future__ import annotations

import csv
import io

from reports.tables.table import Cell, Table

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What opens a formula, which a spreadsheet would run."""


def to_csv(table: Table) -> str:
    """All columns of the table, the heads first; no text of a Record is run as a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.heads)
    writer.writerows([[_text(cell) for cell in row.cells] for row in table.rows])
    return out.getvalue()


def _text(cell: Cell) -> str:
    harmless = cell.text == "-" or isinstance(cell.order, int | float)
    return f"'{cell.text}" if cell.text.startswith(FORMULA) and not harmless else cell.text
