"""Shows the Record of an audit as a table and figures."""

from __future__ import annotations

import math
from pathlib import Path

from reports.charts.epsilon_by_step import course_chart
from reports.charts.render import save
from reports.charts.score_histograms import histogram
from reports.estimates.counts import count_of
from reports.records import Record, audit

FIGURES = ("epsilon.png", "scores.png")


def draw(record: Record, out: Path) -> None:
    """Audited against claimed epsilon along the run, and the scores, as PNG files in ``out``."""
    found = audit.parse(record)
    claims = [look.claimed for look in found.looks]
    audited = {
        row.method + (", if Gaussian" if row.unclaimed else ""): [
            look.audited[row.method] for look in found.looks
        ]
        for row in found.rows
    }
    steps = [look.step for look in found.looks]
    confidence = float(record.scenario["confidence"])
    inserted = record.arrays["inserted"].bool().numpy()
    last = record.arrays["scores"][-1].numpy()
    charts = {
        "epsilon.png": course_chart(steps, claims, audited, confidence),
        "scores.png": histogram(
            {f"{record.scenario['canary']} canaries": last}, inserted, ("inserted", "not inserted")
        ),
    }
    for name, chart in charts.items():
        save(chart, out / name)


def table(record: Record) -> str:
    """The verdicts, and what they rest on, as text."""
    facts, bounds, found = record.scenario, record.bounds, audit.parse(record)
    first = found.rows[0]
    lines = [
        f"{facts['defense']}: {facts['model']} on {facts['count']} of {facts['data']}, "
        f"{count_of(bounds['steps'], 'step')} at sample rate {bounds['sample_rate']:.4g}",
        f"{first.canaries} {facts['canary']} canaries in {count_of(facts['runs'], 'run')}, "
        f"{first.inserted} inserted; AUC {found.auc.show(3)} (chance 0.5)",
        f"claimed: epsilon {first.claimed:.4g} at delta {found.delta:g}"
        + ("" if found.holds else ", had batches been Poisson samples, which they were not"),
        "",
        f"{'method':<14}{'epsilon >=':>11}{'at most':>9}  verdict at {facts['confidence']:g}",
        "-" * 60,
    ]
    for row in found.rows:
        most = "-" if math.isnan(row.reach) else f"{row.reach:.3f}"  # Records of 0.1 do not say it
        verdict = row.verdict + ("" if row.judged else f": {row.doubt}")
        lines.append(f"{row.method:<14}{row.audited:>11.3f}{most:>9}  {verdict}")
    lines += ["", "at most: what perfect scores would prove with these canaries"]
    lines += [f"{row.method} assumes {row.assumes}" for row in found.rows]
    lines += [
        f"{facts['defense']} does not claim to be {row.unclaimed}: what {row.method} finds "
        "is no evidence against its claim"
        for row in found.rows
        if row.unclaimed
    ]
    if math.isinf(first.claimed):
        lines.append("nothing is claimed, so nothing can be refuted (--claim EPSILON audits one)")
    if len(found.rows) > 1:
        lines.append("the methods share the probability of a false alarm")
    return "\n".join(lines)
