"""Shows the Record of an audit as a table and figures."""

from __future__ import annotations

import math
from pathlib import Path

from reports.charts.epsilon_by_step import course_chart
from reports.charts.render import save
from reports.charts.score_histograms import histogram
from reports.estimates import Estimate
from reports.evidence.control import CANNOT_JUDGE
from reports.records import Record

FIGURES = ("epsilon.png", "scores.png")


def draw(record: Record, out: Path) -> None:
    """Audited against claimed epsilon along the run, and the scores, as PNG files in ``out``."""
    along = record.summary["along"]
    claims = [math.inf if p["claimed"] is None else float(p["claimed"]) for p in along]
    rests = {row["method"] for row in record.rows if row.get("unclaimed")}
    audited = {
        name + (", if Gaussian" if name in rests else ""): [
            float(p["audited"][name]) for p in along
        ]
        for name in along[-1]["audited"]
    }
    steps = [int(p["step"]) for p in along]
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
    facts, bounds = record.scenario, record.bounds
    first = record.rows[0]
    claim = "inf" if first["claimed"] is None else f"{first['claimed']:.4g}"
    area = Estimate.read(record.summary["audits"]["auc"])
    lines = [
        f"{facts['defense']}: {facts['model']} on {facts['count']} of {facts['data']}, "
        f"{bounds['steps']} steps at sample rate {bounds['sample_rate']:.4g}",
        f"{first['canaries']} {facts['canary']} canaries in {facts['runs']} run(s), "
        f"{first['inserted']} inserted; AUC {area.show(3)} (chance 0.5)",
        f"claimed: epsilon {claim} at delta {bounds['delta']:g}"
        + ("" if bounds["holds"] else ", had batches been Poisson samples, which they were not"),
        "",
        f"{'method':<14}{'epsilon >=':>11}{'at most':>9}  verdict at {facts['confidence']:g}",
        "-" * 60,
    ]
    for row in record.rows:
        most = f"{row['reach']:.3f}" if "reach" in row else "-"  # older Records do not say it
        verdict = row["verdict"]
        verdict += f": {row['doubt']}" if verdict == CANNOT_JUDGE else ""
        lines.append(f"{row['method']:<14}{row['audited']:>11.3f}{most:>9}  {verdict}")
    lines += ["", "at most: what perfect scores would prove with these canaries"]
    lines += [f"{row['method']} assumes {row['assumes']}" for row in record.rows]
    rests = [row for row in record.rows if row.get("unclaimed")]
    lines += [
        f"{facts['defense']} does not claim to be {row['unclaimed']}: what {row['method']} finds "
        "is no evidence against its claim"
        for row in rests
    ]
    if first["claimed"] is None:
        lines.append("nothing is claimed, so nothing can be refuted (--claim EPSILON audits one)")
    if len(record.rows) > 1:
        lines.append("the methods share the probability of a false alarm")
    return "\n".join(lines)
