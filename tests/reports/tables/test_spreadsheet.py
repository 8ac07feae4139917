"""Tables as CSV: every column, and no formula that runs."""

from __future__ import annotations

import csv
import io

from reports.tables.spreadsheet import to_csv
from tests.reports.tables.example import HOSTILE, TABLE


def test_a_table_as_csv_has_every_column_and_runs_no_formula():
    rows = list(csv.reader(io.StringIO(to_csv(TABLE))))
    assert rows[0] == list(TABLE.heads)
    assert rows[1] == [HOSTILE, "∞", "-4.3 [-5.0, -1.0]", "1"]
    assert rows[2][:3] == ["'=HYPERLINK(1)", "8", "-"]
