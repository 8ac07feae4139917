"""Charts as SVG in a page and as PNG in a file: all that draws, and all that knows a backend.

The figures are made without pyplot, so that drawing one leaves a notebook's backend alone.
"""

from __future__ import annotations

import io
import re
from html import escape
from pathlib import Path

from reports.charts.chart import PAPER, Chart, Theme, drawing
from reports.records import atomic

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
        chart.draw(SIGNAL).savefig(buffer, format="svg", transparent=True, metadata=nothing)
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


def save(chart: Chart, path: Path) -> Path:
    """Write the chart as a PNG file, whole or not at all; returns ``path``."""
    with atomic(path) as scratch:
        scratch.write_bytes(to_png(chart)[0])
    return path


def to_png(chart: Chart, dpi: int = 200) -> tuple[bytes, float]:
    """A PNG on white, and its height over its width."""
    buffer = io.BytesIO()
    with drawing(PAPER):
        figure = chart.draw(PAPER)
        figure.savefig(buffer, format="png", dpi=dpi, facecolor="white")
        width, height = figure.get_size_inches()
    return buffer.getvalue(), float(height / width)
