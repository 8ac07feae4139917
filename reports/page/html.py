"""The report as one HTML file that needs neither a network nor a server."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from reports.charts.chart import NIGHT, PAPER, Chart, Theme
from reports.charts.render import to_svg, variables
from reports.estimates.intervals import FEWEST
from reports.page.citation import bibtex, citation
from reports.page.section import Outline
from reports.pictures.grid import Grid
from reports.records.find import Source
from reports.sentences.glossary import GLOSSARY
from reports.sentences.lead import scores_legend
from reports.tables.table import Cell

OPEN = 7
"""With more studies than this, all but the first are folded."""


def render(outline: Outline) -> str:
    """The page. Everything from Records is escaped; scripts other than its own do not run."""
    script = _part("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    text = (
        _environment()
        .get_template("page.html")
        .render(
            outline=outline,
            style=Markup(_style()),
            script=Markup(script),
            digest=digest,
            legend=scores_legend(),
            fewest=FEWEST,
            glossary=GLOSSARY,
            citation=citation(),
            bibtex=bibtex(),
            fold=len(outline.sections) > OPEN,
        )
    )
    return text


def encode(text: str) -> bytes:
    """UTF-8; what has no place in it becomes a question mark."""
    return text.encode("utf-8", "replace")


def _style() -> str:
    """The style sheet: the colours of charts and page are the same, by day and by night."""

    def rule(selector: str, theme: Theme) -> str:
        return f"{selector} {{ {' '.join(f'{k}: {v};' for k, v in variables(theme).items())} }}"

    system = rule(':root:not([data-theme="light"])', NIGHT)
    rules = [
        rule(":root", PAPER),
        f"@media (prefers-color-scheme: dark) {{ {system} }}",
        rule(':root[data-theme="dark"]', NIGHT),
    ]
    return "\n".join([*rules, _part("page.css")])


@cache
def _part(name: str) -> str:
    return (files(__name__.rpartition(".")[0]) / "template" / name).read_text(encoding="utf-8")


def _environment() -> Environment:
    from jinja2 import FunctionLoader

    found = Environment(
        loader=FunctionLoader(_part),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["svg"] = _svg
    found.filters["pretty"] = _pretty
    found.filters["anchors"] = _anchors
    found.filters["cross"] = _cross
    found.filters["parted"] = _parted
    return found


def _svg(chart: Chart) -> Markup:
    """Drawn by matplotlib, which escapes the text it is given."""
    return Markup(to_svg(chart))


def _parted(cell: Cell) -> str:
    """A number apart from its interval, which stands on a line of its own below it."""
    whole = re.fullmatch(r"([^\[]*\S) (\[[^\]]*\])(.*)", cell.text)
    if whole is None or not isinstance(cell.order, float | int):
        return cell.text
    mean, ends, rest = whole.groups()
    return Markup('<span class="mean">{}{}</span> <span class="ends">{}</span>').format(
        mean, rest, ends
    )


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False)


def _anchors(sources: tuple[Source, ...]) -> str:
    return " ".join(s.anchor for s in sources)


def _cross(grid: Grid) -> list[list[int]]:
    """Rows of positions in the grid; -1 where a setting is missing."""
    assert grid.cross is not None
    rows, columns = range(len(grid.cross.noises)), range(len(grid.cross.rates))
    return [[grid.cross.places.get((r, c), -1) for c in columns] for r in rows]
