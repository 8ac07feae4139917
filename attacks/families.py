"""The families of attacks: a Scenario of any of them becomes its Record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attacks import audit, invert, membership
from attacks.audit import command as audit_command
from attacks.invert import command as invert_command
from attacks.membership import command as membership_command
from reports.records import Record

Scenario = invert.Scenario | membership.Scenario | audit.Scenario


def run(scenario: Scenario, *, out: Path | None = None, **context: Any) -> Record:
    """Run a Scenario and return its Record.

    Args:
        scenario: of any family.
        out: folder in which finished pieces are kept, so that a rerun resumes; None keeps none.
        context: ``device`` (default ``cpu``), ``data_root``, ``report`` (called with a line of
            progress, pieces done and pieces in all).

    Raises:
        BadInput: the Scenario cannot be run as given.
    """
    if isinstance(scenario, membership.Scenario):
        return membership_command.run(scenario, out=out, **context)
    if isinstance(scenario, audit.Scenario):
        return audit_command.run(scenario, out=out, **context)
    return invert_command.run(scenario, out=out, **context)
