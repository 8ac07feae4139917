"""One table over everything: each defense against each attack, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from reports.estimates import NOTHING, Estimate
from reports.evidence.control import CANNOT_JUDGE
from reports.evidence.refuted import above_bound
from reports.panels.panel import FALSE, Panel, Setting
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
HEADS = (
    "defense",
    "remark",
    "naive PSNR (dB)",
    "adaptive PSNR (dB)",
    "naive LPIPS",
    "adaptive LPIPS",
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
    variants = [s.variant.without_switches() for p in panels for s in p.settings]
    placed: dict[int, Strongest] = {}
    loose: list[tuple[Variant, Strongest]] = []
    for variant, one in _trainings(memberships, audits):
        fitting = [i for i, other in enumerate(variants) if other.fits(variant)]
        if len(fitting) == 1 and fitting[0] not in placed:
            placed[fitting[0]] = one
        else:
            loose.append((variant, one))
    rows: list[Row] = []
    for panel in panels:
        costs = accuracy_costs(panel, trained)
        for setting in panel.settings:
            rows.append(_row(len(rows), panel, setting, placed.get(len(rows)), costs))
    for variant, one in loose:
        rows.append(_row_without(f"scoreboard-{len(rows)}", variant, one))
    if len(rows) < 2:
        return None
    caption = (
        "Each defense against each attack; ignoring the defense (naive), knowing it (adaptive)"
    )
    return slim(Table("scoreboard-table", caption, HEADS, tuple(rows), BRIEF))


def _trainings(
    memberships: Sequence[MembershipRecord], audits: Sequence[AuditRecord]
) -> Iterator[tuple[Variant, Strongest]]:
    """Every membership and audit Record with the defense that it is about."""
    over = {turn for turn, _ in above_bound(memberships)}
    for turn, one in enumerate(memberships):
        yield variant_of(one.source), strongest_attack(one, turn in over)
    for audit in audits:  # their rows name the defense
        yield (
            replace(variant_of(audit.source), defense=audit.rows[0].defense),
            strongest_audit(audit),
        )


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
    other: Strongest | None,
    costs: Mapping[str, Estimate],
) -> Row:
    own = setting.sources
    remark = other.remark if other else ""
    remark = remark or (FALSE if setting.verdict == FALSE else BROKEN if setting.misleads else "")
    unknown = setting.verdict == CANNOT_JUDGE
    remark = remark or (CANNOT_JUDGE if unknown else IDLE if other and other.doubt else "")
    cells = [plain(setting.label), _remark(remark)]
    for score in ("psnr", "lpips"):
        digits = SCORES[score].digits
        cells += [figure(setting.estimate(c, score), own, digits) for c in ("naive", "adaptive")]
    named = setting.named
    text = f"{named.times(100).show()}% of {setting.guarantee.candidates}"
    cells.append(Cell(text, named.mean, own) if named.known else Cell("-"))
    caught, claimed, proven = _training_cells(other) if other else (Cell("-"),) * 3
    if claimed.text == "-":
        claimed = value(setting.guarantee.epsilon, own)
        claimed = Cell(f"{claimed.text} for one update", claimed.order, claimed.sources)
    cells += [
        caught,
        claimed,
        proven,
        figure(costs.get(setting.anchor, NOTHING), own),
        plain(panel.title),
        numbers((*own, other.source) if other else own),
    ]
    return Row(f"scoreboard-{turn}", tuple(cells))


def _row_without(anchor: str, variant: Variant, one: Strongest) -> Row:
    """A row of a training that no inversion's setting has."""
    cells = (
        plain(variant.label),
        _remark(one.remark or (IDLE if one.doubt else "")),
        *[Cell("-")] * 5,
        *_training_cells(one),
        Cell("-"),
        plain(str(one.source.record.scenario.get("data", "-"))),
        numbers([one.source]),
    )
    return Row(anchor, cells)


def _training_cells(one: Strongest) -> tuple[Cell, Cell, Cell]:
    """TPR, epsilon claimed and epsilon proven."""
    own = (one.source,)
    return figure(one.caught, own, 3), value(one.claimed, own), value(one.proven, own)


def _remark(text: str) -> Cell:
    tone = "leaks" if text and CANNOT_JUDGE not in text else ""
    return Cell(text or "-", text or None, (), tone)
