"""Parts of the PDF: paragraphs, pictures, charts in pairs, tables that fit the width."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import matplotlib
from reportlab.lib.colors import HexColor
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import (
    Flowable,
    Image,
    KeepTogether,
    LongTable,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)

from reports.charts.chart import PAPER, Chart
from reports.charts.render import to_png
from reports.panels.labels import shorten
from reports.pictures.gallery import Gallery
from reports.pictures.grid import Grid, GridRow
from reports.pictures.picture import Picture
from reports.tables.table import Table as Numbers

WIDTH = 184 * mm
SIDE = 19 * mm
"""The edge of a picture."""
ACROSS = 8
"""Most exposed members side by side."""
LONGEST = 140
"""Characters of one cell; a row taller than a page could not be laid out."""
FONTS = {"DejaVu": "DejaVuSans", "DejaVu-Bold": "DejaVuSans-Bold", "DejaVu-Mono": "DejaVuSansMono"}
LOOKS: dict[str, dict[str, Any]] = {
    "title": {"fontName": "DejaVu-Bold", "fontSize": 17, "leading": 21, "spaceAfter": 4},
    "heading": {"fontName": "DejaVu-Bold", "fontSize": 12, "leading": 15, "spaceBefore": 14},
    "sub": {"fontName": "DejaVu-Bold", "fontSize": 8.5, "leading": 11, "spaceBefore": 9},
    "lead": {"fontSize": 10.5, "leading": 14.5, "spaceAfter": 4},
    "text": {"fontSize": 8.5, "leading": 11.5, "spaceAfter": 2},
    "item": {"fontSize": 8.5, "leading": 11.5, "leftIndent": 9, "firstLineIndent": -9},
    "note": {"fontSize": 7.3, "leading": 10, "textColor": HexColor(PAPER.soft)},
    "code": {"fontName": "DejaVu-Mono", "fontSize": 6.6, "leading": 8.6, "spaceAfter": 6},
    "cell": {"fontSize": 6.6, "leading": 8.2},
    "head": {"fontName": "DejaVu-Bold", "fontSize": 6.4, "leading": 8},
    "under": {"fontSize": 6.2, "leading": 7.6, "alignment": 1, "textColor": HexColor(PAPER.soft)},
}


@cache
def style(name: str) -> ParagraphStyle:
    """One of `LOOKS`. The fonts are those that come with matplotlib: they have Greek."""
    if "DejaVu" not in pdfmetrics.getRegisteredFontNames():
        folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
        for font, file in FONTS.items():
            pdfmetrics.registerFont(TTFont(font, str(folder / f"{file}.ttf")))
    basis = {"fontName": "DejaVu", "textColor": HexColor(PAPER.ink), "spaceAfter": 3}
    keep = {"keepWithNext": 1} if name == "heading" else {}
    return ParagraphStyle(name, **{**basis, **keep, **LOOKS[name]})


def paragraph(text: str, name: str, longest: int | None = None) -> Paragraph:
    """Text that means nothing but itself; cut after ``longest`` characters."""
    cut = text if longest is None else shorten(text, longest)
    return Paragraph(escape(cut), style(name))


def grid_rows(grid: Grid) -> Iterator[Flowable]:
    """The reconstruction grid, one row of pictures per setting."""
    label = WIDTH - len(grid.images) * (SIDE + 3 * mm)
    head = ["", *(paragraph(f"image {i}", "under") for i in grid.images)]
    rows = [head, *map(_cells, grid.rows)]
    widths = [min(label, 44 * mm), *[SIDE + 3 * mm] * len(grid.images)]
    table = Table(rows, colWidths=widths, hAlign="LEFT", repeatRows=1)
    table.setStyle(TableStyle([("VALIGN", (0, 0), (-1, -1), "MIDDLE"), *_tight(1.2)]))
    yield table


def _cells(row: GridRow) -> list[list[Flowable] | Paragraph]:
    """The adaptive attacker's picture alone where there are two: paper has no switch."""
    cells: list[list[Flowable] | Paragraph] = [paragraph(row.label, "cell", LONGEST)]
    for pictures in row.cells:
        cells.append([_image(pictures[0]), paragraph(pictures[0].caption, "under")])
    return cells


def _image(picture: Picture) -> Image:
    return Image(io.BytesIO(picture.data), width=SIDE, height=SIDE, kind="proportional")


def gallery_rows(gallery: Gallery) -> Iterator[Flowable]:
    """The most exposed members, `ACROSS` in a row."""
    cells: list[list[Flowable]] = []
    for picture in gallery.pictures:
        image = [_image(picture), Spacer(1, 1 * mm)] if picture.data else []
        lines = [paragraph(line, "under", LONGEST) for line in picture.caption.split("\n")]
        cells.append([*image, *lines])
    cells += [[]] * (-len(cells) % ACROSS)
    rows = [cells[i : i + ACROSS] for i in range(0, len(cells), ACROSS)]
    table = Table(rows, colWidths=[WIDTH / ACROSS] * ACROSS, hAlign="LEFT")
    table.setStyle(TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), *_tight(2)]))
    yield table


def chart_rows(charts: Sequence[Chart]) -> Iterator[Flowable]:
    """Narrow charts two by two, wide ones alone."""
    waiting: list[list[Flowable]] = []
    for chart in charts:
        width = WIDTH * 0.8 if chart.wide else WIDTH / 2 - 4 * mm
        cell = _chart(chart, width)
        if chart.wide:
            if waiting:
                yield _pair(waiting)
                waiting = []
            yield KeepTogether(cell)
            continue
        waiting.append(cell)
        if len(waiting) == 2:
            yield _pair(waiting)
            waiting = []
    if waiting:
        yield _pair(waiting)


def _chart(chart: Chart, width: float) -> list[Flowable]:
    data, shape = to_png(chart)
    cell: list[Flowable] = [paragraph(chart.title, "head", LONGEST)]
    height = min(width * shape, 215 * mm)
    cell.append(Image(io.BytesIO(data), width=height / shape, height=height, hAlign="LEFT"))
    if chart.note:
        cell.append(paragraph(chart.note, "note"))
    return cell


def _pair(cells: list[list[Flowable]]) -> Table:
    row = [*cells, ""] if len(cells) == 1 else cells
    table = Table([row], colWidths=[WIDTH / 2] * 2, hAlign="LEFT")
    table.setStyle(TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), *_tight(3)]))
    return table


def number_table(numbers: Numbers) -> LongTable:
    """The columns that go on paper, as wide as what they hold asks for."""
    texts = [[numbers.heads[i] for i in numbers.brief]]
    texts += [[row.cells[i].text for i in numbers.brief] for row in numbers.rows]
    longest = [
        # The longest word must fit, and long texts may wrap.
        max(4.0, *(len(w) for t in column for w in t[:LONGEST].split()), _typical(column))
        for column in zip(*texts, strict=True)
    ]
    longest = [min(width, 30.0) for width in longest]
    widths = [WIDTH * width / sum(longest) for width in longest]
    rows = [
        [paragraph(text, "cell" if turn else "head", LONGEST) for text in row]
        for turn, row in enumerate(texts)
    ]
    table = LongTable(rows, colWidths=widths, repeatRows=1, hAlign="LEFT")
    line = HexColor(PAPER.grid)
    lines = [
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, line),
        ("LINEBELOW", (0, 0), (-1, 0), 1, HexColor(PAPER.soft)),
        ("VALIGN", (0, 0), (-1, 0), "BOTTOM"),
        ("VALIGN", (0, 1), (-1, -1), "TOP"),
    ]
    table.setStyle(TableStyle([*lines, *_tight(1.8)]))
    return table


def _typical(column: Sequence[str]) -> float:
    """Characters of the longest value, half of it when it is prose."""
    return float(max(len(t) if len(t) < 20 else len(t) / 2 for t in column[1:] or [""]))


def _tight(space: float) -> list[tuple[str, tuple[int, int], tuple[int, int], float]]:
    sides = ("TOPPADDING", "BOTTOMPADDING", "LEFTPADDING", "RIGHTPADDING")
    return [(side, (0, 0), (-1, -1), space) for side in sides]
