"""Records of audits: what epsilon was claimed, and what an attack proves it to be at least."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

from reports.estimates import NOTHING, Estimate
from reports.evidence.control import CANNOT_JUDGE
from reports.records.checks import (
    epsilon,
    estimate,
    mapping,
    number,
    required_field,
    sequence,
    share,
    text,
    whole_number,
)
from reports.records.find import Source
from reports.records.form import Count, Ordered, Share, ShareOf, Size, check_form
from reports.records.record import Record
from reports.records.training import ClaimBounds

KIND = "audit"


class Row(TypedDict):
    """What one auditor came to, as ``rows`` holds it.

    Attributes:
        defense: whose claim is audited.
        method: the auditor's name.
        claimed: epsilon; None: nothing is claimed.
        audited: lower bound on epsilon at ``confidence``.
        confidence: of the bound, in (0, 1).
        reach: what the auditor would prove with perfect scores.
        control: what it proves of the same trainings without the defense; None: they were not run.
        verdict: in words.
        doubt: why it is no evidence that the claim was not refuted; empty where it is some.
        assumes: what the bound assumes, in words.
        unclaimed: the part of this that the defense does not claim to be; may be empty.
        canary: kind of the canaries.
        canaries: how many there were in all runs.
        inserted: how many of them were trained on.
    """

    defense: str
    method: str
    claimed: Size | None
    audited: Size
    confidence: Share
    reach: Size | None
    control: Size | None
    verdict: str
    doubt: str
    assumes: str
    unclaimed: str
    canary: str
    canaries: Count
    inserted: Count


class Look(TypedDict):
    """The audit after one step of the run, as ``summary["along"]`` holds it.

    Attributes:
        step: releases that had been seen.
        claimed: epsilon after that step; None: nothing is claimed.
        audited: auditor -> lower bound on epsilon, each at the stated confidence by itself.
    """

    step: Count
    claimed: Size | None
    audited: dict[str, Size]


class Scored(TypedDict):
    """How well the scores tell inserted canaries from the others."""

    auc: ShareOf


class Summary(TypedDict):
    """What all auditors share, as ``summary`` holds it."""

    audits: Scored
    along: list[Look]


class Baseline(TypedDict):
    """What who knows nothing comes to."""

    audited: Size
    auc: Share


class Form(TypedDict):
    """The parts of a Record of this kind that hold numbers."""

    rows: list[Annotated[Row, Ordered(("inserted", "canaries"))]]
    summary: Summary
    baseline: Baseline
    bounds: ClaimBounds


@dataclass(frozen=True)
class AuditRow:
    """One row of an audit Record, checked.

    Attributes:
        source: where its Record is from.
        place: of the row in the Record, from 1.
        defense: the defense's name.
        method: how it was audited; may be empty.
        claimed: epsilon; infinite when none is claimed.
        audited: lower bound on epsilon.
        confidence: of the bound, in (0, 1).
        verdict: the Record's own words; may be empty.
        holds: whether the claim's assumptions are true of the training.
        unclaimed: what the bound assumes and the defense does not claim to be; may be empty.
        reach: what the audit would prove with perfect scores; NaN where the Record does not say.
        doubt: why it is no evidence that the claim was not refuted; empty where it is some.
        assumes: what the bound assumes, in words; may be empty.
        canaries: how many there were in all runs; 0 where the Record does not say.
        inserted: how many of them were trained on.
    """

    source: Source
    place: int
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
    assumes: str = ""
    canaries: int = 0
    inserted: int = 0

    @property
    def anchor(self) -> str:
        """Names the row within the page, ``audit-3-row-1``."""
        return f"audit-{self.source.number}-row-{self.place}"

    @property
    def broken(self) -> bool:
        """Whether more leaks than was claimed, by nothing but what the defense claims."""
        return self.audited > self.claimed and not self.unclaimed

    @property
    def judged(self) -> bool:
        """Whether something is said about the claim: it is refuted, or could have been."""
        return self.verdict != CANNOT_JUDGE


@dataclass(frozen=True)
class AuditLook:
    """The audit after one step of the run.

    Attributes:
        step: releases that had been seen.
        claimed: epsilon after that step; infinite when none is claimed.
        audited: auditor -> lower bound on epsilon, each at the stated confidence by itself.
    """

    step: int
    claimed: float
    audited: dict[str, float]


@dataclass(frozen=True)
class AuditRecord:
    """One audit Record, checked.

    Attributes:
        source: where it is from.
        rows: one per auditor, all about one training.
        looks: the bounds along the run, as ``summary["along"]`` tells them; may be empty.
        auc: chance that the score of an inserted canary exceeds that of another.
        delta: of every epsilon.
        holds: whether the claim's assumptions are true of the training.
    """

    source: Source
    rows: tuple[AuditRow, ...]
    looks: tuple[AuditLook, ...]
    auc: Estimate
    delta: float
    holds: bool

    @property
    def broken(self) -> bool:
        """Whether any auditor refutes the claim by nothing but what the defense claims."""
        return any(row.broken for row in self.rows)

    @property
    def worst(self) -> AuditRow:
        """The row that says most against the claim; where none refutes it, that proves most.

        What rests on nothing that the defense does not claim comes first.
        """
        return max(
            self.rows,
            key=lambda row: (
                row.broken,
                not row.unclaimed,
                row.audited - row.claimed if row.broken else row.audited,
            ),
        )

    @property
    def reach(self) -> float:
        """What the best auditor would prove with perfect scores; NaN where it is not known."""
        return max(row.reach for row in self.rows)


def parse(record: Record, source: Source | None = None) -> AuditRecord:
    """The Record, checked and converted.

    Args:
        record: of kind `KIND`.
        source: where it lies; None where it lies nowhere yet.

    Raises:
        ValueError: something has a type or range that no Record has; one line says what.
    """
    source = source or Source(record)
    holds = record.bounds.get("holds") is True
    rows = [mapping(row, "rows") for row in record.rows]
    if not rows:
        raise ValueError("there are no rows")
    area = mapping(record.summary.get("audits", {}), "summary.audits").get("auc")
    found = AuditRecord(
        source=source,
        rows=tuple(_row(source, n, row, holds) for n, row in enumerate(rows, 1)),
        looks=tuple(_look(v) for v in sequence(record.summary.get("along", []), "summary.along")),
        auc=NOTHING if area is None else estimate(area, "summary.audits.auc"),
        delta=share(required_field(record.bounds, "delta", "bounds"), "bounds.delta"),
        holds=holds,
    )
    check_form(record.parts(), Form)
    return found


def _look(value: Any) -> AuditLook:
    what = "summary.along"
    found = mapping(value, what)
    audited = mapping(found.get("audited"), f"{what}.audited")
    return AuditLook(
        step=whole_number(found.get("step"), f"{what}.step"),
        claimed=epsilon(required_field(found, "claimed", what), f"{what}.claimed"),
        audited={k: epsilon(number(v, what), f"{what}.audited") for k, v in audited.items()},
    )


def _row(source: Source, place: int, row: dict[str, Any], holds: bool) -> AuditRow:
    """A row, checked; Records of 0.1 say neither its reach nor what is unclaimed or in doubt."""
    return AuditRow(
        source=source,
        place=place,
        defense=text(row.get("defense"), "rows.defense"),
        method=text(row.get("method") or "", "rows.method"),
        claimed=epsilon(required_field(row, "claimed", "rows"), "rows.claimed"),
        audited=epsilon(number(row.get("audited"), "rows.audited"), "rows.audited"),
        confidence=share(row.get("confidence"), "rows.confidence"),
        verdict=text(row.get("verdict") or "", "rows.verdict"),
        holds=holds,
        unclaimed=text(row.get("unclaimed") or "", "rows.unclaimed"),
        reach=epsilon(row["reach"], "rows.reach") if "reach" in row else math.nan,
        doubt=text(row.get("doubt") or "", "rows.doubt"),
        assumes=text(row.get("assumes") or "", "rows.assumes"),
        canaries=whole_number(row.get("canaries", 0), "rows.canaries"),
        inserted=whole_number(row.get("inserted", 0), "rows.inserted"),
    )
