"""Records by kind, told apart by what they hold, each checked before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field

from reports.panels import trained
from reports.records import audit as audits
from reports.records import inversion as inversions
from reports.records import membership as memberships
from reports.records.find import Gathered, Source


@dataclass
class Sorted:
    """Records by kind."""

    inversions: list[inversions.Inversion] = field(default_factory=list)
    runs: list[trained.Run] = field(default_factory=list)
    memberships: list[memberships.Membership] = field(default_factory=list)
    audits: list[audits.Audit] = field(default_factory=list)


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
    anchor = source.anchor.removeprefix("record-")
    if inversions.is_inversion(source):
        found.inversions.append(inversions.parse(source))
    elif trained.is_training(source):
        found.runs.append(trained.parse(source))
    elif memberships.is_membership(source):
        found.memberships.append(memberships.parse(source, f"membership-{anchor}"))
    elif audits.is_audit(source):
        found.audits += audits.parse(source, f"audit-{anchor}")
    else:
        raise ValueError("a Record of no kind that reports know")
