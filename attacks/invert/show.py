"""The Record of an inversion as a table and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attacks.invert.contract import MALICIOUS
from attacks.invert.scenario import BATCH, RELEASED
from reports.charts.reconstructions import reconstruction_chart
from reports.charts.render import save
from reports.estimates import Estimate
from reports.estimates.counts import count_of
from reports.estimates.intervals import FEWEST
from reports.evidence.control import CANNOT_JUDGE, MISREPLAYED, NO_CONTROL, NOT_REBUILT
from reports.evidence.setting_judgement import judge_setting
from reports.panels.build import build_panels
from reports.panels.labels import told_state
from reports.panels.panel import Panel
from reports.records import Record, inversion, rounds
from reports.records.column import Column
from reports.records.inversion import Row
from reports.records.rounds import part_column
from reports.scores import PSNR_CAP, SCORES
from victims.gradients import LocalSteps

TIMED = (
    "warning: --budget stops attacks by the clock; where it does, the numbers depend on this "
    "machine (--evaluations limits attacks on any machine alike)"
)
CUT = "* cut short by --budget: a rerun need not give the same pixels"
FIGURE = "reconstructions.png"
NORMALISED = {
    BATCH: ", normalised by its own statistics",
    RELEASED: ", normalised by its own statistics, which are sent too",
}
"""What is said of a client's batch normalisation, by the Scenario's ``batch_norm``."""


def draw(record: Record, out: Path) -> None:
    """The grid of guesses, as `FIGURE` in ``out``."""
    save(reconstruction_chart(record), out / FIGURE)


def table(record: Record) -> str:
    """The Record's means, intervals and guarantees as text."""
    facts = record.scenario
    wide = 1 + max(len("(prior)"), *(len(_row_label(record, Column.of(n))) for n in record.summary))
    head = (
        f"{'defense':<{wide}}{'attacker':<11}{'PSNR dB':>20}{'SSIM':>21}{'LPIPS':>21}{'s/image':>9}"
        f"{'labels':>9}{'evals':>9}"
    )
    total = next((b["candidates"] for b in record.bounds.values() if b.get("candidates")), None)
    if total:
        head += f"{f'1 of {total}':>10}"
    count = f"{count_of(facts['images'], 'image')}, batch {facts['batch']}"
    if local := LocalSteps.among(facts):
        steps = count_of(local.steps, "local step")
        count += f", {steps} of {local.batch} at learning rate {local.lr:g}"
    normed = NORMALISED.get(str(facts.get("batch_norm")), "")
    count += normed
    if participants := facts.get("secure_aggregation"):
        count += f" of {participants} participants behind secure aggregation"
    if facts.get("threat") == MALICIOUS:
        count += ", a server that cheats: it sends a model of its own making"
    state = told_state(facts["model"], facts["state"])
    lines = [
        f"{facts['data']}: {count}, {facts['model']} ({state}), attack {facts['attack']}",
        f"mean [95% interval of each number alone, where there are {FEWEST} images or more]; "
        f"PSNR capped at {PSNR_CAP:g} dB; LPIPS: lower is closer",
        head,
        "-" * len(head),
    ]
    for name, label in (("mean_image", "mean image"), ("nearest_auxiliary", "nearest")):
        lines.append(_line(wide, "(prior)", label, record.baseline[name], ""))
    columns = inversion.rows_of(record)
    for name, summary in record.summary.items():
        column = Column.of(name)
        rows = columns[column]
        seconds = f"{sum(r['seconds'] for r in rows) / len(rows):.1f}"
        cut = "*" if inversion.is_cut_short(rows) else ""
        line = _line(wide, _row_label(record, column), column.attacker, summary, seconds + cut)
        told = "told" if facts.get("labels_known") else count_labels(rows)
        spent = sum(r["evaluations"] for r in rows) // len(rows)
        lines.append(f"{line}{told:>9}{spent:>9,}" + (f"{count_named(rows):>10}" if total else ""))
    lines.append(work(record))
    if total:
        lines.append(f"1 of {total}: how often the private image was named first of so many")
    if any(map(inversion.is_cut_short, columns.values())):
        lines.append(CUT)
    if found := dropped_line(record):
        lines.append(found)
    (panel,) = build_panels([inversion.parse(record)])
    if controls := control_lines(panel):
        lines += ["", *controls]
    lines.append("")
    for name, bound in record.bounds.items():
        if part_column(name)[1] is None:
            lines.append(promise(name, bound, of_client=bool(local or normed)))
            held = rounds.parse(bound.get("round"), "round")
            lines += [f"{name}: {held.told()}"] if held else []
    if record.environment.get("lpips", "available") != "available":
        lines.append(f"LPIPS unavailable: {record.environment['lpips']}")
    return "\n".join([*lines, "", *verdict_lines(panel)])


def work(record: Record) -> str:
    """What the column ``evals`` counts, and what practice cost beside it."""
    text = "evals: gradients taken per image"
    practice = max(
        r.get("practice", 0) for rows in inversion.rows_of(record).values() for r in rows
    )
    if practice:
        text += f"; practice on its own took up to {practice:,} more, once for all images"
    return text


def dropped_line(record: Record) -> str:
    """That the adversary's own images held private ones, which were dropped; else empty."""
    told = record.baseline.get("auxiliary", {})
    if not told.get("dropped"):
        return ""
    total = told["images"] + told["dropped"]
    return (
        f"{told['dropped']} of the adversary's {count_of(total, 'image')} show a private one, "
        "or nearly, and were dropped"
    )


def count_named(rows: Sequence[Row]) -> str:
    """``12/32``: the candidate game won so often in so many rows; ``-`` where it was not played."""
    ranks = [r["rank"] for r in rows if r.get("rank") is not None]
    return f"{ranks.count(1)}/{len(ranks)}" if ranks else "-"


def control_lines(panel: Panel) -> list[str]:
    """Whether the attack works here at all, and for which defenses nothing can be said."""
    doubts = [s for s in panel.settings if s.verdict == CANNOT_JUDGE]
    state = panel.settings[0].control
    lines = [] if state == NO_CONTROL else [f"control: the undefended update was {state}"]
    if state == NOT_REBUILT:
        lines = [f"{lines[0]}: where an attack finds nothing, nothing can be judged"]
    lines += [
        f"{s.defense}: {CANNOT_JUDGE}: {s.doubt}" for s in doubts if s.defended and not s.asked
    ]
    wrong = [(s.defense, s.guarantee.replay) for s in panel.settings if s.guarantee.replay]
    lines += [f"{name}: {MISREPLAYED}: {told}" for name, told in wrong]
    return lines + [f"{s.defense}: {s.outdone}" for s in panel.settings if s.outdone]


def verdict_lines(panel: Panel) -> list[str]:
    """The page's verdict on the defense that was asked about, in one line."""
    asked = (judge_setting(setting, panel, "") for setting in panel.settings if setting.asked)
    return [f"{one.word}: {one.subject}: {one.reason}" for one in asked]


def _row_label(record: Record, column: Column) -> str:
    """The defense of a column, its round where there are several; the others below it."""
    name, step = part_column(column.defense)
    if step is not None:
        return f"  step {step}"
    held = rounds.parse(record.bounds[name].get("round"), "round")
    return f"{name}, step {held.step}" if held and len(held.attacked) > 1 else name


def count_labels(rows: Sequence[Row]) -> str:
    """``12/16``: so many of the labels in the batches were found."""
    return f"{sum(r['label'] == r['label_found'] for r in rows)}/{len(rows)}"


def _line(wide: int, defense: str, column: str, summary: dict[str, Any], seconds: str) -> str:
    cells = [Estimate.read(summary[n]).show(s.digits) for n, s in SCORES.items()]
    return f"{defense:<{wide}}{column:<11}{cells[0]:>20}{cells[1]:>21}{cells[2]:>21}{seconds:>9}"


def promise(name: str, bound: dict[str, float | None], *, of_client: bool = False) -> str:
    """What this one release guarantees, to one example, or to one client with all it holds."""
    if bound["epsilon"] is None:
        return f"{name}: no privacy guarantee (epsilon = inf)."
    text = f"{name}: this one release is ({bound['epsilon']:.4g}, {bound['delta']:g})-DP"
    text += "; of 1,000 candidates an attacker names the right one with p <= "
    text += f"{bound['top1_of_1000']:.3g}"
    if name == "dprs":
        text += ". Its sparsity buys no epsilon: this is DP-SGD's"
    if of_client:
        text += ". Neighbours differ by one client with all its images, not by one image"
    return text + "."
