"""A row for each membership Record and attack: how well it tells members from others."""

from __future__ import annotations

from collections.abc import Sequence

from reports.evidence.control import CANNOT_JUDGE
from reports.records.membership import MembershipRecord
from reports.tables.table import Cell, Row, Table, figure, numbers, plain, value


def membership_table(found: Sequence[MembershipRecord]) -> Table:
    """A row per Record and attack."""
    heads = (
        "attack",
        "defense",
        "data",
        "AUC",
        "TPR at FPR 0.1%",
        "TPR at FPR 1%",
        "TPR at FPR 10%",
        "ε",
        "δ",
        "target",
        "records",
    )
    rows = []
    for one in found:
        facts = one.source.record.scenario
        for turn, attack in enumerate(one.attacks, 1):
            own = (one.source,)
            cells = (
                plain(attack),
                plain(str(facts.get("defense", "-"))),
                plain(str(facts.get("data", "-"))),
                figure(one.auc(attack), own, 3),
                *(figure(one.tpr(attack, rate), own, 3) for rate in (0.001, 0.01, 0.1)),
                Cell("-") if one.epsilon is None else value(one.epsilon, own),
                Cell(f"{one.delta:g}", one.delta),
                _target(one),
                numbers(own),
            )
            rows.append(Row(f"{one.anchor}-attack-{turn}", cells))
    caption = "How well members of the training set are told from others"
    return Table("memberships-table", caption, heads, tuple(rows), tuple(range(len(heads))))


def _target(one: MembershipRecord) -> Cell:
    """Whether the target learned; where it did not, that nobody was found is no evidence."""
    return plain(f"{CANNOT_JUDGE}: {one.doubt}" if one.doubt else "learned")
