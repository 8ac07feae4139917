"""A row for each auditor: epsilon as claimed, and as proven to be at least."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reports.evidence.control import CANNOT_JUDGE
from reports.records.audit import AuditRecord, AuditRow
from reports.tables.table import Cell, Row, Table, no_guarantee, numbers, plain, value

HEADS = (
    "defense",
    "method",
    "ε claimed",
    "ε at least",
    "ε provable at most",
    "confidence",
    "verdict",
    "records",
)


def audit_table(records: Sequence[AuditRecord]) -> Table:
    """The table of audits."""
    rows = tuple(_row(row) for record in records for row in record.rows)
    caption = "Epsilon as claimed, and as an audit proves it to be at least"
    return Table("audits-table", caption, HEADS, rows, tuple(range(len(HEADS))))


def _row(row: AuditRow) -> Row:
    sources = (row.source,)
    claim = value(row.claimed, sources)
    cells = (
        plain(row.defense),
        plain(row.method or "-"),
        claim if row.holds or math.isinf(row.claimed) else no_guarantee(claim),
        value(row.audited, sources),
        value(row.reach, sources),
        value(100 * row.confidence, sources, ".4g"),
        _verdict(row),
        numbers(sources),
    )
    return Row(row.anchor, cells)


def _verdict(row: AuditRow) -> Cell:
    """The Record's own words, else ours; why nothing can be said where nothing can."""
    text = row.verdict or ("more leaks than claimed" if row.broken else "claim not refuted")
    text = text if row.judged else f"{CANNOT_JUDGE}: {row.doubt}"
    return Cell(text, text, tone="leaks" if row.broken else "")
