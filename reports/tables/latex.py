"""A table for LaTeX, with the rules of booktabs."""

from __future__ import annotations

from collections.abc import Sequence

from reports.tables.table import Cell, Table

MARKS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\^{}", "~": r"\~{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "ε": r"$\varepsilon$", "δ": r"$\delta$", "∞": r"$\infty$", "→": r"$\to$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "…": r"\ldots{}", "\N{NO-BREAK SPACE}": "~", "\N{NON-BREAKING HYPHEN}": "-", "\n": " ",
}  # fmt: skip
LAST = "\u017f"
"""Of the letters that every LaTeX sets; what comes after has no place and becomes a question mark.
"""


def escape(text: str) -> str:
    """The text as LaTeX that shows it: no command and no new cell comes of it."""
    return "".join(MARKS.get(c, c if " " <= c <= LAST else "?") for c in text)


def latex(table: Table) -> str:
    """The table's paper columns as a ``table`` environment, which takes ``\\usepackage{booktabs}``.

    Columns whose values are all numbers or missing stand at the right.
    """
    heads = [table.heads[i] for i in table.brief]
    rows = [[row.cells[i] for i in table.brief] for row in table.rows]
    numeric = [
        all(_is_number(row[i]) or row[i].text == "-" for row in rows) for i in range(len(heads))
    ]
    columns = "".join("r" if number else "l" for number in numeric)
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape(table.caption)}}}",
        rf"\label{{tab:{table.key}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        _line(heads),
        r"\midrule",
        *(_line([cell.text for cell in row]) for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _is_number(cell: Cell) -> bool:
    """Whether a cell says a number; a word may be sorted by one."""
    return isinstance(cell.order, int | float) and not cell.text[:1].isalpha()


def _line(texts: Sequence[str]) -> str:
    # A bracket that opens a line would be an option of the line break before it.
    cells = [escape(text) for text in texts]
    return " & ".join(f"{{{c}}}" if c.startswith("[") else c for c in cells) + r" \\"
