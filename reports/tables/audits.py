"""A row for each auditor: epsilon as claimed, and as proven to be at least."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reports.evidence.control import CANNOT_JUDGE
from reports.records.audit import AuditRecord
from reports.tables.table import Cell, Row, Table, no_guarantee, numbers, plain, value


def audit_table(found: Sequence[AuditRecord]) -> Table:
    """A row per audited training and auditor."""
    heads = (
        "defense",
        "method",
        "ε claimed",
        "ε at least",
        "ε provable at most",
        "confidence",
        "verdict",
        "records",
    )
    rows = []
    for one in (row for record in found for row in record.rows):
        own = (one.source,)
        claim = value(one.claimed, own)
        verdict = one.verdict or ("more leaks than claimed" if one.broken else "claim not refuted")
        verdict = verdict if one.judged else f"{CANNOT_JUDGE}: {one.doubt}"
        cells = (
            plain(one.defense),
            plain(one.method or "-"),
            claim if one.holds or math.isinf(one.claimed) else no_guarantee(claim),
            value(one.audited, own),
            value(one.reach, own),
            value(100 * one.confidence, own, ".4g"),
            Cell(verdict, verdict, (), "leaks" if one.broken else ""),
            numbers(own),
        )
        rows.append(Row(one.anchor, cells))
    caption = "Epsilon as claimed, and as an audit proves it to be at least"
    return Table("audits-table", caption, heads, tuple(rows), tuple(range(len(heads))))
