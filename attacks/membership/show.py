"""Shows the Record of a membership study as a table and figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reports.charts.exposed_members import exposed_chart
from reports.charts.render import save
from reports.charts.roc import roc_charts
from reports.charts.score_histograms import histogram_chart
from reports.detection import dp_bound
from reports.estimates import Estimate
from reports.estimates.counts import count_of
from reports.evidence.control import CANNOT_JUDGE
from reports.evidence.refuted import refutations
from reports.records import Record, membership
from reports.records.training import in_training_words
from reports.sentences.lead import false_guarantees, members_found
from reports.sentences.sentence import plain

FIGURES = ("roc.png", "scores.png", "exposed.png")
SHOWN = 8


def draw(record: Record, out: Path) -> None:
    """ROC, score histograms and the most exposed members, as PNG files in ``out``."""
    parsed = membership.parse(record)
    charts = (next(roc_charts([parsed])), histogram_chart(parsed), exposed_chart(parsed))
    for chart, name in zip(charts, FIGURES, strict=True):
        save(chart, out / name)


def table(record: Record) -> str:
    """Every attack's numbers, what theory allows, and the most exposed members, as text."""
    facts, summary = in_training_words(record.scenario), record.summary
    models = summary["models"]
    rates = list(next(iter(summary["tpr_at"].values())))
    head = f"{'attack':<22}{'AUC':>22}" + "".join(f"{f'TPR at {r} FPR':>22}" for r in rates)
    lines = [
        f"{facts['defense']}: {facts['model']} on {facts['count']} of {facts['data']}, "
        + _beside(facts),
        f"accuracy: target {models['target']['inside']:.1%} on members, "
        f"{models['target']['outside']:.1%} on others; "
        f"{'shadows' if 'shadows' in facts else 'the other participants'} "
        f"{models['shadows']['inside']:.1%} / {models['shadows']['outside']:.1%}",
        control_line(record),
        "[95% interval]; chance: AUC 0.5, TPR = FPR",
        head,
        "-" * len(head),
    ]
    for name, area in summary["auc"].items():
        cells = [Estimate.read(summary["tpr_at"][name][r]).show(3) for r in rates]
        cells.insert(0, Estimate.read(area).show(3))
        lines.append(f"{name:<22}" + "".join(f"{c:>22}" for c in cells))
    epsilon, delta = record.bounds["epsilon"], record.bounds["delta"]
    if epsilon is not None and record.bounds["holds"]:
        allowed = [f"<= {float(dp_bound(float(r), epsilon, delta)):.3f}" for r in rates]
        lines.append(f"{'theory allows':<22}{'':>22}" + "".join(f"{c:>22}" for c in allowed))
    reasons = {
        part["reason"] for rates_of in summary["tpr_at"].values() for part in rates_of.values()
        if part.get("reason")
    }  # fmt: skip
    lines += ["", *sorted(reasons), promise(record), *_verdicts(record), "", _exposed_line(record)]
    return "\n".join(lines)


def _beside(facts: dict[str, Any]) -> str:
    """What a target's score is compared with: shadow models, or others who take part."""
    if "shadows" in facts:
        return count_of(facts["shadows"], "shadow model")
    return count_of(facts["participants"] - 1, "other participant")


def _verdicts(record: Record) -> list[str]:
    """Whether the promise is contradicted, and what the best of all attacks comes to."""
    parsed = membership.parse(record)
    said = false_guarantees(refutations([], [parsed], []), 0), members_found([parsed])
    return [plain(sentence) for sentence in said if sentence]


def control_line(record: Record) -> str:
    """Whether the attacks could have found anybody; where not, that nothing can be said.

    Of a training, whether the target learned. Of a federation, what undefended uploads give away.
    """
    parsed = membership.parse(record)
    if parsed.control is not None:
        note = "" if parsed.control.holds else f"{CANNOT_JUDGE}: "
        return f"control: {note}{parsed.control.show()}"
    learned = parsed.learned
    if learned is None:
        return "cannot be judged: this result does not say whether the target learned"
    note = "" if learned.holds else f"{CANNOT_JUDGE}: "
    return f"{note}{learned.show()}; no undefended model was trained beside it"


def promise(record: Record) -> str:
    """One sentence: what the whole training guarantees, or one participant's own uploads."""
    bound = record.bounds
    if bound["epsilon"] is None:
        return "no privacy guarantee (epsilon = inf)"
    claim = f"({bound['epsilon']:.4g}, {bound['delta']:g})-DP"
    text = f"the whole training is {claim}"
    if "participants" in record.scenario:  # others may have sent more, or defended nothing
        sent = count_of(bound["steps"], "upload")
        text = f"of one example of participant 0, its own {sent} are {claim}"
    if not bound["holds"]:
        text += ", had batches been Poisson samples, which they were not: no guarantee"
    if record.scenario.get("defense") == "dprs":
        text += "; its sparsity buys no epsilon: this is DP-SGD's"
    return text


def _exposed_line(record: Record) -> str:
    rows = [row for row in record.rows if row["member"]][:SHOWN]
    members = [f"{r['example']} ({r['label']}, {r['false_alarms']})" for r in rows]
    return (
        f"most exposed members under {record.summary['strongest']} (label, and how many others "
        f"score as high): {', '.join(members)}"
    )
