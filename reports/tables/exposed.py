"""A row for each member that a membership attack finds out first."""

from __future__ import annotations

from collections.abc import Sequence

from reports.records.exposed import ExposedMember
from reports.records.find import Source
from reports.tables.table import Cell, Row, Table, numbers, plain

HEADS = (
    "rank",
    "label",
    "example",
    "non-members with at least its score",
    "share of the non-members",
    "records",
)


def exposed_table(anchor: str, source: Source, members: Sequence[ExposedMember]) -> Table:
    """The table of the members that one Record exposes most.

    Args:
        anchor: starts the table's key and the anchors of its rows; unique within the page.
        source: the Record.
        members: most exposed first.
    """
    own = (source,)
    rows = tuple(
        Row(
            f"{anchor}-{member.rank}",
            (
                Cell(str(member.rank), member.rank),
                plain(member.label),
                Cell(str(member.example), member.example),
                Cell(f"{member.false_alarms} of {member.others}", member.false_alarms, own),
                Cell(member.show_share(), member.share.mean, own),
                numbers(own),
            ),
        )
        for member in members
    )
    caption = f"The members that record {source.number} exposes most"
    return Table(f"{anchor}-table", caption, HEADS, rows, tuple(range(len(HEADS))))
