"""Records by the kind that they say, each checked before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field

from reports.records import audit, inversion, membership, training
from reports.records.audit import AuditRecord
from reports.records.find import Gathered, Source
from reports.records.inversion import InversionRecord
from reports.records.membership import MembershipRecord
from reports.records.training import TrainingRecord


@dataclass
class Sorted:
    """Records by kind."""

    inversions: list[InversionRecord] = field(default_factory=list)
    trainings: list[TrainingRecord] = field(default_factory=list)
    memberships: list[MembershipRecord] = field(default_factory=list)
    audits: list[AuditRecord] = field(default_factory=list)


def sort_out(gathered: Gathered) -> Sorted:
    """Check every Record; those that fail move from ``sources`` to ``skipped`` with a reason."""
    found, kept = Sorted(), []
    for source in gathered.sources:
        try:
            _sort(source, found)
        except ValueError as error:
            gathered.skipped.append((source.path, f"{error}"))
            continue
        kept.append(source)
    gathered.sources = kept
    return found


def _sort(source: Source, found: Sorted) -> None:
    record = source.record
    match record.kind:
        case inversion.KIND | inversion.OBSERVATION:
            found.inversions.append(inversion.parse(record, source))
        case training.KIND:
            found.trainings.append(training.parse(record, source))
        case membership.KIND:
            found.memberships.append(membership.parse(record, source))
        case audit.KIND:
            found.audits.append(audit.parse(record, source))
        case _:
            raise ValueError("a Record of no kind that reports know")
