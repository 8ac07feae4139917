"""Epsilon as claimed against epsilon as an audit proves it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial

from reports.charts.chart import LINES, MARKERS, SMALL, Chart, Figure, Theme, blank, legend
from reports.panels.labels import shorten
from reports.records.audit import AuditRecord, AuditRow


def audit_charts(records: Sequence[AuditRecord]) -> Iterator[Chart]:
    """One scatter over all audits with a finite claim; nothing below two.

    Bounds that assume what the defense does not claim are left to the table.
    """
    rows = [row for record in records for row in record.rows]
    valid = [a for a in rows if not a.unclaimed]
    finite = [a for a in valid if math.isfinite(a.claimed) and math.isfinite(a.audited)]
    if len(finite) < 2:
        return
    numbers = [f"{a.defense}: claimed {a.claimed:.3g}, at least {a.audited:.3g}" for a in finite]
    left = len(rows) - len(finite)
    others = "Without a finite claim, or assuming what is not claimed, and in the table only"
    note = f"{others}: {left}." if left else ""
    title = "Epsilon claimed and audited"
    yield Chart(
        "audits-epsilon", title, f"{'; '.join(numbers)}.", partial(_draw, finite), note=note
    )


def _draw(rows: Sequence[AuditRow], theme: Theme) -> Figure:
    figure, axes = blank((SMALL[0], 3.9))
    kinds = list(dict.fromkeys(f"{a.defense} {a.method}".strip() for a in rows))
    for index, kind in enumerate(kinds):
        audits = [a for a in rows if f"{a.defense} {a.method}".strip() == kind]
        dots = axes.scatter(
            [a.claimed for a in audits],
            [a.audited for a in audits],
            color=theme.series[index % LINES],
            marker=MARKERS[index % LINES],
            s=34,
            zorder=3,
            label=shorten(kind, 40),
        )
        dots.set_urls([f"#{a.anchor}" for a in audits])
    most = 1.08 * max(max(a.claimed, a.audited) for a in rows) or 1.0
    axes.plot([0, most], [0, most], color=theme.soft, ls="--", lw=1.1, label="audited = claimed")
    axes.fill_between([0, most], [0, most], most, color=theme.series[1], alpha=0.1, lw=0)
    axes.text(
        0.04 * most, 0.93 * most, "more leaks than claimed", fontsize="small", color=theme.soft
    )
    axes.set_xlim(0, most)
    axes.set_ylim(0, most)
    axes.set_xlabel("epsilon claimed")
    axes.set_ylabel("epsilon proven at least")
    legend(figure, axes, 2)
    return figure
