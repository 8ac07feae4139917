"""The families of attacks: a Scenario of any of them becomes its Record."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attacks import audit, invert, membership
from attacks.audit import command as audit_command
from attacks.invert import command as invert_command
from attacks.membership import command as membership_command
from reports.commands.contract import Command
from reports.records import Record
from reports.records.keyed import Keyed

Scenario = invert.Scenario | membership.Scenario | audit.Scenario
COMMANDS: Mapping[type[Keyed], Command] = {
    invert.Scenario: invert_command,
    membership.Scenario: membership_command,
    audit.Scenario: audit_command,
}
"""The command of each family's Scenarios."""


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
    command = next(c for kind, c in COMMANDS.items() if isinstance(scenario, kind))
    return command.run(scenario, out=out, **context)
