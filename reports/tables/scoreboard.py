"""One table over everything: each defense against each attack, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from reports.estimates import NOTHING, Estimate
from reports.evidence.control import CANNOT_JUDGE
from reports.evidence.refuted import above_bound
from reports.panels.panel import Panel
from reports.panels.setting import FALSE, Setting
from reports.panels.trained import Trained, accuracy_costs
from reports.panels.variant import Variant, variant_of
from reports.records.audit import AuditRecord
from reports.records.membership import MembershipRecord
from reports.scores import SCORES
from reports.tables.strongest import Strongest, strongest_attack, strongest_audit
from reports.tables.table import Cell, Row, Table, figure, numbers, plain, value

BROKEN = "adaptive attack broke it"
IDLE = f"members: {CANNOT_JUDGE}"
"""The target of the membership attack did not learn, or the Record does not say."""
VICTIM = "attacked on"
PSNR, LPIPS = SCORES["psnr"].title, SCORES["lpips"].title
HEADS = (
    "defense",
    "remark",
    f"naive {PSNR}",
    f"adaptive {PSNR}",
    f"naive {LPIPS}",
    f"adaptive {LPIPS}",
    "named at once",
    "TPR at 1% FPR",
    "ε claimed",
    "ε at least",
    "accuracy cost (points)",
    VICTIM,
    "records",
)
BRIEF = (0, 1, 2, 3, 6, 7, 8, 9, 10)
"""Of them, those that go on paper."""


def scoreboard(
    panels: Sequence[Panel],
    trained: Sequence[Trained],
    memberships: Sequence[MembershipRecord],
    audits: Sequence[AuditRecord],
) -> Table | None:
    """A row per attacked setting, then those that only membership attacks or audits know.

    A row has leak, claim and audit of one training: of several Records that fit a setting the
    first is in its row, and every other one in a row of its own. So is a Record that several
    settings fit, because it does not name the options that tell them apart. None below two rows:
    there is nothing to compare.
    """
    placed, loose = _place(panels, memberships, audits)
    rows: list[Row] = []
    for panel in panels:
        costs = accuracy_costs(panel, trained)
        for setting in panel.settings:
            rows.append(_row(len(rows), panel, setting, placed.get(len(rows)), costs))
    for variant, training in loose:
        rows.append(_row_without(f"scoreboard-{len(rows)}", variant, training))
    if len(rows) < 2:
        return None
    caption = (
        "Each defense against each attack; ignoring the defense (naive), knowing it (adaptive)"
    )
    return slim(Table("scoreboard-table", caption, HEADS, tuple(rows), BRIEF))


def _place(
    panels: Sequence[Panel],
    memberships: Sequence[MembershipRecord],
    audits: Sequence[AuditRecord],
) -> tuple[dict[int, Strongest], list[tuple[Variant, Strongest]]]:
    """Trainings by the place of the setting that they fit, and those that have none."""
    variants = [s.variant.without_switches() for panel in panels for s in panel.settings]
    placed: dict[int, Strongest] = {}
    loose: list[tuple[Variant, Strongest]] = []
    for variant, training in _trainings(memberships, audits):
        fitting = [i for i, other in enumerate(variants) if other.fits(variant)]
        if len(fitting) == 1 and fitting[0] not in placed:
            placed[fitting[0]] = training
        else:
            loose.append((variant, training))
    return placed, loose


def _trainings(
    memberships: Sequence[MembershipRecord], audits: Sequence[AuditRecord]
) -> Iterator[tuple[Variant, Strongest]]:
    """Every membership and audit Record with the defense that it is about."""
    refuted = {turn for turn, _ in above_bound(memberships)}
    for turn, record in enumerate(memberships):
        yield variant_of(record.source), strongest_attack(record, turn in refuted)
    for audit in audits:
        variant = variant_of(audit.source)
        defense = audit.rows[0].defense  # the rows name it
        yield replace(variant, defense=defense), strongest_audit(audit)


def slim(table: Table) -> Table:
    """The table without columns of which no row has anything, or all say the same of the victim."""
    texts = [{row.cells[i].text for row in table.rows} for i in range(len(table.heads))]
    alike = [i for i, head in enumerate(table.heads) if head == VICTIM and len(texts[i]) == 1]
    kept = [i for i, found in enumerate(texts) if found != {"-"} and i not in alike]
    rows = tuple(Row(row.anchor, tuple(row.cells[i] for i in kept)) for row in table.rows)
    caption = table.caption + "".join(f"; {VICTIM} {min(texts[i])}" for i in alike)
    brief = tuple(new for new, old in enumerate(kept) if old in table.brief)
    return Table(table.key, caption, tuple(table.heads[i] for i in kept), rows, brief)


def _row(
    turn: int,
    panel: Panel,
    setting: Setting,
    training: Strongest | None,
    costs: Mapping[str, Estimate],
) -> Row:
    """A row of an attacked setting, with the training that fits it where there is one."""
    sources = setting.sources
    scores = [
        figure(setting.estimate(attacker, score), sources, SCORES[score].digits)
        for score in ("psnr", "lpips")
        for attacker in ("naive", "adaptive")
    ]
    named = setting.named
    text = f"{named.percent(0)} of {setting.guarantee.candidates}"
    caught, claimed, proven = _training_cells(training) if training else (Cell("-"),) * 3
    if claimed.text == "-":
        claimed = value(setting.guarantee.epsilon, sources)
        claimed = Cell(f"{claimed.text} for one update", claimed.order, claimed.sources)
    cells = (
        plain(setting.label),
        _remark_cell(_remark(setting, training)),
        *scores,
        Cell(text, named.mean, sources) if named.known else Cell("-"),
        caught,
        claimed,
        proven,
        figure(costs.get(setting.anchor, NOTHING), sources),
        plain(panel.title),
        numbers((*sources, training.source) if training else sources),
    )
    return Row(f"scoreboard-{turn}", cells)


def _row_without(anchor: str, variant: Variant, training: Strongest) -> Row:
    """A row of a training that no inversion's setting has."""
    cells = (
        plain(variant.label),
        _remark_cell(training.remark or (IDLE if training.doubt else "")),
        *[Cell("-")] * 5,
        *_training_cells(training),
        Cell("-"),
        plain(str(training.source.record.scenario.get("data", "-"))),
        numbers([training.source]),
    )
    return Row(anchor, cells)


def _remark(setting: Setting, training: Strongest | None) -> str:
    """What must be said of a setting, the gravest alone; may be empty."""
    if training and training.remark:
        return training.remark
    if setting.verdict == FALSE:
        return FALSE
    if setting.misleads:
        return BROKEN
    if setting.verdict == CANNOT_JUDGE:
        return CANNOT_JUDGE
    return IDLE if training and training.doubt else ""


def _training_cells(training: Strongest) -> tuple[Cell, Cell, Cell]:
    """TPR, epsilon claimed and epsilon proven."""
    sources = (training.source,)
    caught = figure(training.caught, sources, 3)
    return caught, value(training.claimed, sources), value(training.proven, sources)


def _remark_cell(text: str) -> Cell:
    tone = "leaks" if text and CANNOT_JUDGE not in text else ""
    return Cell(text or "-", text or None, (), tone)
