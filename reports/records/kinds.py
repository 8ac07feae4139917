"""Records by the kind that they say, each checked before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field

from reports.records import audit, inversion, membership, training
from reports.records.audit import AuditRecord
from reports.records.find import Gathered, Source
from reports.records.form import check_form
from reports.records.inversion import InversionRecord
from reports.records.membership import MembershipRecord
from reports.records.record import Record
from reports.records.training import TrainingRecord

FORMS = {
    inversion.KIND: inversion.Form,
    inversion.OBSERVATION: inversion.Form,
    training.KIND: training.Form,
    membership.KIND: membership.Form,
    audit.KIND: audit.Form,
}
"""Kind -> the form of its parts that hold numbers."""


@dataclass
class Sorted:
    """Records by kind.

    Attributes:
        gathered: what was found, those Records among the sources that are valid.
        inversions: observations too.
        trainings: one per run.
        memberships: one per target.
        audits: one per audited training.
    """

    gathered: Gathered
    inversions: list[InversionRecord] = field(default_factory=list)
    trainings: list[TrainingRecord] = field(default_factory=list)
    memberships: list[MembershipRecord] = field(default_factory=list)
    audits: list[AuditRecord] = field(default_factory=list)


def sort_out(gathered: Gathered) -> Sorted:
    """Check every Record; of what was found, those that fail are skipped with a reason."""
    found = Sorted(
        Gathered(failures=gathered.failures, skipped=list(gathered.skipped), roots=gathered.roots)
    )
    for source in gathered.sources:
        try:
            _sort(source, found)
        except ValueError as error:
            found.gathered.skipped.append((source.path, f"{error}"))
        else:
            found.gathered.sources.append(source)
    found.memberships = membership.judge_together(found.memberships)
    return found


def check_written(record: Record) -> Record:
    """The Record itself; raise ValueError where its writer has not kept to the form of its kind."""
    check_form(record.parts(), FORMS[record.kind], complete=True)
    return record


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
