"""A table with everything that a file of it must take."""

from __future__ import annotations

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
