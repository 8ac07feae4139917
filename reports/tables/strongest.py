"""The attack and the auditor that count, of all that one training was exposed to."""

from __future__ import annotations

import math
from typing import NamedTuple

from reports.estimates import NOTHING, Estimate
from reports.estimates.intervals import simultaneous_level
from reports.evidence.control import CANNOT_JUDGE
from reports.panels.setting import FALSE
from reports.records.audit import AuditRecord
from reports.records.find import Source
from reports.records.membership import MembershipRecord

FALSE_RATE = 0.01
OVER = f"{FALSE}: more members are found than it allows"
REFUTED = f"{FALSE}: an audit refutes the claim"
ASSUMED = "the audit assumes what the defense does not claim"
UNTOLD = f"{CANNOT_JUDGE}: the audit could not have refuted the claim"


class Strongest(NamedTuple):
    """Leak, claim and audit of one Record: numbers of one training are about each other.

    Attributes:
        caught: TPR at `FALSE_RATE` of its best attack, with an interval that is simultaneous over
            the Record's attacks; nothing where none was run.
        claimed: its epsilon; NaN where the Record does not say.
        proven: what an audit proves epsilon to be at least; NaN where none was run.
        remark: what refutes the claim, or why nothing could; may be empty.
        source: the Record.
        doubt: why finding little is no evidence; may be empty.
    """

    caught: Estimate
    claimed: float
    proven: float
    remark: str
    source: Source
    doubt: str


def strongest_attack(one: MembershipRecord, refuted: bool = False) -> Strongest:
    """What counts of a membership Record.

    Args:
        one: the Record.
        refuted: whether it finds more than it may, see `refuted.above_bound`.
    """
    level = simultaneous_level(len(one.scores))
    rates = [one.tpr(name, FALSE_RATE, level) for name in one.scores]
    return Strongest(
        caught=max((r for r in rates if r.known), key=lambda r: r.mean, default=NOTHING),
        claimed=math.nan if one.epsilon is None else one.epsilon,
        proven=math.nan,
        remark=OVER if refuted else "",
        source=one.source,
        doubt=one.doubt,
    )


def strongest_audit(found: AuditRecord) -> Strongest:
    """What counts of an audit Record: the row that says most against its claim."""
    one = found.worst
    remark = ASSUMED if one.unclaimed else "" if any(a.judged for a in found.rows) else UNTOLD
    return Strongest(
        caught=NOTHING,
        claimed=one.claimed,
        proven=one.audited,
        remark=REFUTED if one.broken else remark,
        source=one.source,
        doubt="",
    )
