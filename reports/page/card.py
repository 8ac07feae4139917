"""One Record as a notebook shows it: a line, a picture, and what decided the result."""

from __future__ import annotations

import base64
import json
from html import escape

from reports.charts.accuracy_by_epoch import epoch_chart
from reports.charts.chart import PAPER, Chart, Figure, drawing
from reports.charts.epsilon_by_step import course_chart
from reports.charts.reconstructions import reconstruction_chart
from reports.charts.render import to_png
from reports.charts.roc import roc_charts
from reports.records import Record, audit, membership, training

DPI = 90
"""Of the picture in a notebook, on which a figure's text is read at 100%."""


def record_chart(record: Record) -> Chart | None:
    """The chart that tells most of one Record; None where it holds nothing that can be drawn.

    Raises:
        ValueError: the Record holds what no Record of its kind does; one line says what.
    """
    match record.kind:
        case "inversion" | "observation":
            return reconstruction_chart(record) if record.arrays else None
        case "membership":
            return next(roc_charts([membership.parse(record)]), None)
        case "training":
            return epoch_chart(training.parse(record)) if record.rows else None
        case "audit":
            return _audit_chart(audit.parse(record))
    raise ValueError(f"a Record of kind {record.kind!r:.40}, of which there is no chart")


def _audit_chart(found: audit.AuditRecord) -> Chart | None:
    if not found.looks:
        return None
    methods = [row.method for row in found.rows if row.method in found.looks[-1].audited]
    return course_chart(
        [look.step for look in found.looks],
        [look.claimed for look in found.looks],
        {name: [look.audited[name] for look in found.looks] for name in methods},
        found.rows[0].confidence,
    )


def plot(record: Record) -> Figure:
    """The Record's chart as a figure on white.

    Raises:
        ValueError: it holds nothing that can be drawn.
    """
    chart = record_chart(record)
    if chart is None:
        raise ValueError(f"this Record of kind {record.kind!r:.40} holds nothing to draw")
    with drawing(PAPER):
        figure = chart.draw(PAPER)
        figure.set_facecolor(PAPER.surface)
        return figure


def card(record: Record) -> str:
    """A piece of HTML that needs nothing else, with every text of the Record escaped.

    A Record that cannot be drawn is told in words: to look at something must not fail.
    """
    try:
        chart = record_chart(record)
        picture = _picture(chart) if chart else ""
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        picture = f"<p>No picture: {escape(f'{error}'[:200])}</p>"
    facts = json.dumps(record.scenario, indent=1, ensure_ascii=False, default=str)
    return (
        f'<div class="leakgauge-record"><p><b>{escape(repr(record)[1:-1])}</b></p>{picture}'
        f"<details><summary>Scenario</summary><pre>{escape(facts)}</pre></details></div>"
    )


def _picture(chart: Chart) -> str:
    data = base64.b64encode(to_png(chart, DPI)[0]).decode()
    style = "max-width:100%;background:#fff"
    return (
        f'<img alt="{escape(chart.title)}. {escape(chart.alt)}" style="{style}" '
        f'src="data:image/png;base64,{data}">'
    )
