"""Shows the audit of a private head as text."""

from __future__ import annotations

import math

from reports.estimates.counts import count_of
from reports.records import Record, audit


def table(record: Record) -> str:
    """The verdict, and what it rests on."""
    facts, bounds, found = record.scenario, record.bounds, audit.parse(record)
    row = found.rows[0]
    verdict = row.verdict + ("" if row.judged else f": {row.doubt}")
    claimed = "nothing" if math.isinf(row.claimed) else f"epsilon {row.claimed:.4g}"
    lines = [
        f"{facts['method']} on {facts['backbone']}, {facts['count']} of {facts['data']}: "
        f"{count_of(bounds['steps'], 'release')}, fitted {count_of(row.canaries, 'time')}, "
        f"the canary in {row.inserted}",
        f"claimed: {claimed} at delta {found.delta:g}; {bounds['assumes']}",
        f"proven:  epsilon >= {row.audited:.4g} at confidence {row.confidence:g} by {row.method}; "
        f"AUC {found.auc.show(3)} (chance 0.5)",
        f"at most: {row.reach:.4g}, what perfect scores would prove with so many fits",
        f"verdict: {verdict}",
        f"{row.method} assumes {row.assumes}",
    ]
    return "\n".join(lines)
