from __future__ import annotations

import csv
import io
import re

from reports.tables.latex import escape, latex
from reports.tables.spreadsheet import to_csv
from reports.tables.table import Cell, Row, Table

HOSTILE = "\\input{/etc/passwd} & 100% _x^2 $\\frac{ #1 ~ <b>"
TABLE = Table(
    "key",
    "A caption: 50% & more",
    ("defense", "ε at δ", "PSNR (dB)", "not on paper"),
    (
        Row("a", (Cell(HOSTILE, "x"), Cell("∞", 9.0), Cell("-4.3 [-5.0, -1.0]", -4.3), Cell("1"))),
        Row("b", (Cell("=HYPERLINK(1)", "="), Cell("8", 8.0), Cell("-"), Cell("[0, 1]"))),
    ),
    (0, 1, 2),
)


def test_a_table_for_latex_has_the_rules_of_booktabs_and_no_foreign_command():
    text = latex(TABLE)
    assert [text.count(rf"\{rule}rule") for rule in ("top", "mid", "bottom")] == [1, 1, 1]
    assert r"\begin{tabular}{lrr}" in text
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")]
    assert len(re.findall(r"(?<!\\)&", body)) == 2 * 2  # between three cells of two rows
    assert r"\input" not in text and r"\frac" not in text
    assert r"$\infty$" in text and r"100\%" in text
    assert "not on paper" not in text


def test_letters_that_latex_lacks_do_not_stop_it():
    assert escape("naïve 中 … 1e\N{NON-BREAKING HYPHEN}05\x07") == r"naïve ? \ldots{} 1e-05?"


def test_a_table_as_csv_has_every_column_and_runs_no_formula():
    rows = list(csv.reader(io.StringIO(to_csv(TABLE))))
    assert rows[0] == list(TABLE.heads)
    assert rows[1] == [HOSTILE, "∞", "-4.3 [-5.0, -1.0]", "1"]
    assert rows[2][:3] == ["'=HYPERLINK(1)", "8", "-"]
