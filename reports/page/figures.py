"""Every chart and every table of a report as files, for papers and slides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from reports.charts.render import save
from reports.charts.style import Style
from reports.page.section import Outline
from reports.records import atomic
from reports.tables.latex import latex
from reports.tables.spreadsheet import to_csv
from reports.tables.table import markdown

CHARTS = ("png", "pdf", "svg")
TABLES = {"md": markdown, "tex": latex, "csv": to_csv}


def write_figures(outline: Outline, folder: Path, style: Style) -> Iterator[Path]:
    """Write the files one after another; yields each when it is whole.

    Args:
        outline: the report.
        folder: where they go; made where there is none.
        style: what the charts are for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for section in outline.sections:
        for chart in section.charts:
            for kind in CHARTS:
                yield save(chart, folder / f"{chart.key}.{kind}", style)
        for table in section.tables:
            for kind, written in TABLES.items():
                path = folder / f"{table.key}.{kind}"
                with atomic(path) as scratch:
                    scratch.write_text(written(table), encoding="utf-8")
                yield path
