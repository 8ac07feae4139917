"""Records of audits: what epsilon was claimed, and what an attack proves it to be at least."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from reports.evidence.control import CANNOT_JUDGE
from reports.records.checks import epsilon, share, text
from reports.records.find import Source


@dataclass(frozen=True)
class Audit:
    """One row of an audit Record, checked.

    Attributes:
        anchor: names its row within the page.
        source: where it is from.
        defense: its name.
        method: how it was audited; may be empty.
        claimed: epsilon; infinite when none is claimed.
        audited: lower bound on epsilon.
        confidence: of the bound, in (0, 1); NaN-free.
        verdict: the Record's own words; may be empty.
        holds: whether the claim's assumptions are true of the training.
        unclaimed: what the bound assumes and the defense does not claim to be; may be empty.
        reach: what the audit would prove with perfect scores; NaN where the Record does not say.
        doubt: why it is no evidence that the claim was not refuted; empty where it is some.
    """

    anchor: str
    source: Source
    defense: str
    method: str
    claimed: float
    audited: float
    confidence: float
    verdict: str
    holds: bool = True
    unclaimed: str = ""
    reach: float = math.nan
    doubt: str = ""

    @property
    def broken(self) -> bool:
        """Whether more leaks than was claimed, by nothing but what the defense claims."""
        return self.audited > self.claimed and not self.unclaimed

    @property
    def judged(self) -> bool:
        """Whether something is said about the claim: it is refuted, or could have been."""
        return self.verdict != CANNOT_JUDGE


def by_record(audits: Sequence[Audit]) -> list[list[Audit]]:
    """The rows of every Record, which are about one training, in their order."""
    found: dict[int, list[Audit]] = {}
    for row in audits:
        found.setdefault(row.source.number, []).append(row)
    return list(found.values())


def is_audit(source: Source) -> bool:
    """Whether a Record says to be of this kind."""
    rows = source.record.rows
    return bool(rows) and all(
        isinstance(r, dict) and {"claimed", "audited"} <= r.keys() for r in rows
    )


def parse(source: Source, anchor: str) -> list[Audit]:
    """Check and convert.

    Raises:
        ValueError: something has a type or range that no Record has; one line says what.
    """
    return [
        Audit(
            f"{anchor}-row-{turn}",
            source,
            text(row.get("defense"), "rows.defense"),
            text(row.get("method") or "", "rows.method"),
            epsilon(row["claimed"], "rows.claimed"),
            epsilon(row["audited"], "rows.audited"),
            share(row.get("confidence"), "rows.confidence"),
            text(row.get("verdict") or "", "rows.verdict"),
            source.record.bounds.get("holds", True) is True,
            text(row.get("unclaimed") or "", "rows.unclaimed"),
            epsilon(row["reach"], "rows.reach") if "reach" in row else math.nan,
            text(row.get("doubt") or "", "rows.doubt"),
        )
        for turn, row in enumerate(source.record.rows, 1)
    ]
