"""A chart as SVG that lives inside a page: its own ids, the page's colours, words for all."""

from __future__ import annotations

import io
import re
from html import escape

from reports.charts.chart import PAPER, Chart, Theme, drawing

# Colours that stand for the page's, so that a chart follows its light and its dark theme.
SIGNALS = {
    **{f"#0b0c0{i}": f"var(--{n})" for i, n in enumerate(("ink", "soft", "grid", "surface"))},
    **{f"#0b0c1{i}": f"var(--line-{i + 1})" for i in range(len(PAPER.series))},
}
_KEYS = tuple(SIGNALS)
SIGNAL = Theme(_KEYS[0], _KEYS[1], _KEYS[2], _KEYS[3], _KEYS[4:])


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
    for signal, variable in SIGNALS.items():
        text = text.replace(signal, variable)
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


def to_png(chart: Chart, dpi: int = 200) -> tuple[bytes, float]:
    """A PNG on white and its height over its width."""
    buffer = io.BytesIO()
    with drawing(PAPER):
        figure = chart.draw(PAPER)
        figure.patch.set_alpha(1)
        figure.savefig(buffer, format="png", dpi=dpi, facecolor="white")
        width, height = figure.get_size_inches()
    return buffer.getvalue(), float(height / width)
