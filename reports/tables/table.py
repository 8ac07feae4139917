"""Tables for the page and for paper: text, a value to sort by, and the Records behind it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from reports.estimates import Estimate
from reports.records.find import Source


@dataclass(frozen=True)
class Cell:
    """One value.

    Attributes:
        text: as shown.
        order: sorts the column; None goes last whichever way it is sorted.
        sources: the Records that the value is from; empty for text that is no result.
        tone: ``leaks``, ``quiet`` or nothing.
        anchor: of the row of the page that the text leads to; empty where it leads nowhere.
    """

    text: str
    order: float | str | None = None
    sources: tuple[Source, ...] = ()
    tone: str = ""
    anchor: str = ""


@dataclass(frozen=True)
class Row:
    """Cells with the anchor that the rest of the page links to."""

    anchor: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        key: unique within the page.
        caption: one line.
        heads: of the columns.
        rows: in the order in which they are first shown.
        brief: columns that go on paper.
    """

    key: str
    caption: str
    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    brief: tuple[int, ...]


def literal(text: str) -> str:
    """The text as Markdown that shows it: no link, picture, code, HTML or new cell comes of it."""
    # References are for HTML's own three; a backslash is enough for Markdown's punctuation.
    plainly = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    marked = re.sub(r"([\\`*_{}\[\]()#!|~$])", r"\\\1", plainly)
    # Bare addresses become links by themselves.
    return re.sub(r"(?i)(https?|ftp|www)([:.])", r"\1\\\2", marked).replace("@", "\\@")


def markdown(table: Table) -> str:
    """The table's paper columns as Markdown, its caption above."""

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(map(literal, cells))} |"

    heads = [table.heads[i] for i in table.brief]
    rows = [line([row.cells[i].text for i in table.brief]) for row in table.rows]
    return "\n".join(
        [literal(table.caption), "", line(heads), line(["---"] * len(heads)), *rows, ""]
    )


def plain(text: str) -> Cell:
    """Text that is no result."""
    return Cell(text, text.lower() or None)


def figure(found: Estimate, sources: Sequence[Source], digits: int = 1) -> Cell:
    """A mean with its interval."""
    order = found.mean if found.known else None
    return Cell(found.show(digits), order, tuple(sources) if found.known else ())


def percent(found: Estimate, sources: Sequence[Source]) -> Cell:
    """A share with its interval, in percent."""
    return figure(found.times(100), sources)


def value(number: float | None, sources: Sequence[Source] = (), spec: str = ".4g") -> Cell:
    """One number; ``-`` for None and NaN."""
    if number is None or math.isnan(number):
        return Cell("-")
    if math.isinf(number):
        return Cell("∞", math.inf, tuple(sources))
    shown = f"{number:,.0f}" if abs(number) >= 1000 else f"{number:{spec}}"
    return Cell(shown, number, tuple(sources))


def no_guarantee(cell: Cell) -> Cell:
    """The cell of an epsilon that rests on a false assumption, such as Poisson sampling."""
    return Cell(f"{cell.text} (no guarantee)", cell.order, cell.sources)


def numbers(sources: Sequence[Source]) -> Cell:
    """The Records' numbers."""
    listed = ", ".join(str(s.number) for s in sources)
    return Cell(listed, float(sources[0].number) if sources else None, tuple(sources))
