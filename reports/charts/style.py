"""What a figure that leaves the page is for: its size, and the size of its letters."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Style:
    """Where a figure goes.

    Attributes:
        narrow: inches across, of a chart that stands in a column.
        wide: inches across, of a chart that takes the whole line.
        font: points of plain text.
        shape: height over width; None leaves each chart its own.
    """

    narrow: float
    wide: float
    font: float
    shape: float | None = None


STYLES = {
    # A column and the text of a two-column page on letter paper (IEEE, ACM, NeurIPS within 0.2 in).
    "paper": Style(narrow=3.35, wide=6.9, font=7.5),
    # A chart beside text, and one that fills a 13.3 x 7.5 inch slide but for its title.
    "slides": Style(narrow=6.2, wide=12.0, font=16, shape=9 / 16),
}
"""Name -> style."""
