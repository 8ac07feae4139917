"""Of one training that was attacked or audited, what counts."""

from __future__ import annotations

from dataclasses import dataclass

from reports.estimates import NOTHING
from reports.evidence.control import CANNOT_JUDGE
from reports.evidence.refuted import simultaneous, worst
from reports.panels.panel import FALSE
from reports.records.audit import AuditRecord
from reports.records.find import Source
from reports.records.membership import MembershipRecord
from reports.tables.table import Cell, figure, value

FALSE_RATE = 0.01
OVER = f"{FALSE}: more members are found than it allows"
REFUTED = f"{FALSE}: an audit refutes the claim"
ASSUMED = "the audit assumes what the defense does not claim"
UNTOLD = f"{CANNOT_JUDGE}: the audit could not have refuted the claim"


@dataclass(frozen=True)
class Strongest:
    """Leak, claim and audit of one Record: numbers of one training are about each other.

    Attributes:
        caught: TPR at `FALSE_RATE` of its best attack, with an interval that is simultaneous over
            the Record's attacks.
        claimed: its epsilon.
        proven: what an audit proves it to be at least.
        remark: what refutes the claim, or why nothing could; may be empty.
        source: the Record.
        doubt: why finding little is no evidence; may be empty.
    """

    caught: Cell
    claimed: Cell
    proven: Cell
    remark: str
    source: Source
    doubt: str = ""


def of_membership(one: MembershipRecord, over: bool = False) -> Strongest:
    """A membership Record; ``over``: its TPR exceeds its bound, see `refuted.above_bound`."""
    own, level = (one.source,), simultaneous(len(one.scores))
    rates = [one.tpr(name, FALSE_RATE, level) for name in one.scores]
    best = max((r for r in rates if r.known), key=lambda r: r.mean, default=NOTHING)
    return Strongest(
        figure(best, own, 3),
        Cell("-") if one.epsilon is None else value(one.epsilon, own),
        Cell("-"),
        OVER if over else "",
        one.source,
        one.doubt,
    )


def of_audit(found: AuditRecord) -> Strongest:
    """An audit Record; the row counts that says most against its claim."""
    one = worst(found.rows)
    own = (one.source,)
    remark = ASSUMED if one.unclaimed else "" if any(a.judged for a in found.rows) else UNTOLD
    remark = REFUTED if one.broken else remark
    return Strongest(Cell("-"), value(one.claimed, own), value(one.audited, own), remark, *own)
