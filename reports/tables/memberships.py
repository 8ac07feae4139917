"""A row for each membership Record and attack: how well it tells members from others."""

from __future__ import annotations

from collections.abc import Sequence

from reports.evidence.control import CANNOT_JUDGE
from reports.evidence.refuted import FALSE_ALARMS
from reports.records.membership import MembershipRecord
from reports.tables.table import Cell, Row, Table, figure, numbers, plain, value

HEADS = (
    "attack",
    "defense",
    "data",
    "AUC",
    *(f"TPR at FPR {100 * rate:g}%" for rate in FALSE_ALARMS),
    "ε",
    "δ",
    "target",
    "records",
)


def membership_table(records: Sequence[MembershipRecord]) -> Table:
    """The table of membership attacks."""
    rows = tuple(
        _row(f"{record.anchor}-attack-{turn}", record, attack)
        for record in records
        for turn, attack in enumerate(record.attacks, 1)
    )
    caption = "How well members of the training set are told from others"
    return Table("memberships-table", caption, HEADS, rows, tuple(range(len(HEADS))))


def _row(anchor: str, record: MembershipRecord, attack: str) -> Row:
    facts, sources = record.source.record.scenario, (record.source,)
    # Where the target did not learn, that nobody was found is no evidence.
    works = "learned" if record.control is None else record.control.show()
    target = f"{CANNOT_JUDGE}: {record.doubt}" if record.doubt else works
    cells = (
        plain(attack),
        plain(str(facts.get("defense", "-"))),
        plain(str(facts.get("data", "-"))),
        figure(record.auc(attack), sources, 3),
        *(figure(record.tpr(attack, rate), sources, 3) for rate in FALSE_ALARMS),
        value(record.epsilon, sources),
        Cell(f"{record.delta:g}", record.delta),
        plain(target),
        numbers(sources),
    )
    return Row(anchor, cells)
