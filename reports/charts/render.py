"""Charts as SVG in a page, as PNG, PDF or SVG in a file: all that draws and knows a backend.

The figures are made without pyplot, so that drawing one leaves a notebook's backend alone.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from functools import lru_cache
from html import escape
from pathlib import Path

import numpy as np
from matplotlib.collections import Collection
from matplotlib.legend import Legend
from matplotlib.textpath import TextPath

from reports.charts.chart import PAPER, Chart, Figure, Theme, drawing, legend
from reports.charts.style import Style
from reports.records import atomic

HANDLE, BETWEEN, AROUND = 3.4, 2.0, 1.8
"""Of a legend, over the size of its letters: a sample line, between columns, at the edges."""
ROW, LINE = 1.75, 1.25
"""Of a legend, over the size of its letters: a row with what is below it, a further line in it."""
LEAST = 0.6
"""Share of a figure's height that its legends leave to all else; less, and axes collapse."""
DPI = 200
"""Of a PNG."""
# Colours that stand for the page's, so that a chart follows its light and its dark theme.
SIGNAL = Theme(
    ink="#0b0c00",
    soft="#0b0c01",
    grid="#0b0c02",
    surface="#0b0c03",
    series=tuple(f"#0b0c1{i}" for i in range(len(PAPER.series))),
)


def variables(theme: Theme) -> dict[str, str]:
    """The theme as CSS variables, ``--ink`` to ``--line-8``, which a page's charts ask for."""
    plain = {f"--{n}": getattr(theme, n) for n in ("ink", "soft", "grid", "surface")}
    return plain | {f"--line-{i}": colour for i, colour in enumerate(theme.series, 1)}


def to_svg(chart: Chart) -> str:
    """One ``<svg>`` element: role img, title and description, ids that start with the chart's key.

    Links drawn by matplotlib stay links, out of the way of the keyboard: the tables hold the
    same ones.
    """
    buffer = io.StringIO()
    with drawing(SIGNAL):
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure = chart.draw(SIGNAL)
        fit_legends(figure)
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = _own_ids(text, chart.key)
    for name, signal in variables(SIGNAL).items():
        text = text.replace(signal, f"var({name})")
    text = text.replace("<a xlink:href=", '<a tabindex="-1" href=')
    box = re.search(r'viewBox="[^"]*"', text)
    assert box is not None, "matplotlib writes a viewBox"
    head = (
        f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" xmlns="http://www.w3.org/2000/svg" '
        f'{box.group()} role="img" aria-labelledby="{chart.key}-title {chart.key}-desc">'
        f'<title id="{chart.key}-title">{escape(chart.title)}</title>'
        f'<desc id="{chart.key}-desc">{escape(chart.alt)}</desc>'
    )
    return head + text[text.index(">") + 1 :].strip()


def _own_ids(text: str, key: str) -> str:
    """Ids of two figures on one page must differ; links to the page's own anchors stay."""
    own = set(re.findall(r'\bid="([^"]+)"', text))
    text = re.sub(r'\bid="([^"]+)"', rf'id="{key}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{key}-\1)", text)

    def inner(match: re.Match[str]) -> str:
        name = match.group(1)
        return f'xlink:href="#{key}-{name}"' if name in own else match.group()

    return re.sub(r'xlink:href="#([^"]+)"', inner, text)


def save(chart: Chart, path: Path, style: Style | None = None) -> Path:
    """Write the chart, whole or not at all.

    Args:
        chart: to be drawn on white.
        path: of the file; its ending says how: ``.png``, ``.pdf`` or ``.svg``.
        style: what the figure is for; None leaves the chart its own size.

    Returns:
        ``path``.
    """
    kind = path.suffix[1:]
    # Nothing of the clock: equal Records give equal files.
    unsaid = {"pdf": ("CreationDate", "Creator", "Producer"), "svg": ("Date", "Creator")}
    with drawing(PAPER, style.font if style else 9):
        figure = chart.draw(PAPER)
        if style:
            _resize(figure, style.wide if chart.wide else style.narrow, style.shape)
        fit_legends(figure)
        for part in figure.findobj(Collection):
            part.set_urls([])  # they lead to rows of the page
        with atomic(path) as scratch:
            metadata = dict.fromkeys(unsaid.get(kind, ()))
            figure.savefig(scratch, format=kind, dpi=DPI, facecolor="white", metadata=metadata)
    return path


def fit_legends(figure: Figure) -> None:
    """Give every legend so many columns as the figure is wide enough for, at least one.

    A figure that its legends leave less than `LEAST` of becomes taller by what is lacking.
    """
    room = 72 * float(figure.get_size_inches()[0])
    for old in list(figure.legends):
        texts = [text.get_text() for text in old.get_texts()]
        size = max(float(text.get_fontsize()) for text in old.get_texts())
        asked: int = old._ncols  # type: ignore[attr-defined]  # matplotlib has a setter alone,
        fitting = [n for n in range(1, asked + 1) if _width(texts, n, size) <= room]
        if asked in fitting:
            continue
        old.remove()  # which lays nothing out again
        axes = next(a for a in figure.axes if a.get_legend_handles_labels()[1] == texts)
        legend(figure, axes, max(fitting, default=1))
    width, height = figure.get_size_inches()
    taken = sum(_height(one) for one in figure.legends) / 72
    if height - taken < LEAST * height:
        figure.set_size_inches(width, taken + LEAST * height)


def _height(drawn: Legend) -> float:
    """Points down of a legend, by its longest column."""
    rows = [ROW + LINE * text.get_text().count("\n") for text in drawn.get_texts()]
    columns: int = drawn._ncols  # type: ignore[attr-defined]
    size = max(float(text.get_fontsize()) for text in drawn.get_texts())
    return max(float(part.sum()) for part in np.array_split(np.array(rows), columns)) * size


def _width(texts: Sequence[str], columns: int, size: float) -> float:
    """Points across of a legend in so many columns, which is filled column by column."""
    parts = [part.tolist() for part in np.array_split(np.array(texts), columns)]
    lines = [[line for text in part for line in text.split("\n")] for part in parts]
    letters = [max((_length(line, size) for line in own), default=0.0) for own in lines]
    return sum(letters) + (HANDLE * columns + BETWEEN * (columns - 1) + AROUND) * size


@lru_cache(maxsize=4096)  # outlines take a tenth of a second, and every file asks for the same ones
def _length(line: str, size: float) -> float:
    """Points across of a line of text in the charts' letters."""
    if not line.strip():
        return 0.0
    return float(TextPath((0, 0), line, size=size, usetex=False).get_extents().width)


def _resize(figure: Figure, width: float, shape: float | None) -> None:
    """Give the figure another width, and the height of its own shape or of ``shape``."""
    across, down = figure.get_size_inches()
    figure.set_size_inches(width, width * (shape or down / across))


def to_png(chart: Chart, dpi: int = DPI) -> tuple[bytes, float]:
    """A PNG on white, and its height over its width."""
    buffer = io.BytesIO()
    with drawing(PAPER):
        figure = chart.draw(PAPER)
        fit_legends(figure)
        figure.savefig(buffer, format="png", dpi=dpi, facecolor="white")
        width, height = figure.get_size_inches()
    return buffer.getvalue(), float(height / width)
