"""The families of attacks: a Scenario of any of them becomes its Record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attacks.audit import command as audit
from attacks.audit.scenario import Exam
from attacks.invert import command as invert
from attacks.invert.scenario import Scenario
from attacks.membership import command as membership
from attacks.membership.scenario import Trial
from reports.records import Record


def run(scenario: Scenario | Trial | Exam, *, out: Path | None = None, **context: Any) -> Record:
    """Run a Scenario and return its Record.

    Args:
        scenario: of an inversion, a membership trial or an audit.
        out: folder in which finished pieces are kept, so that a rerun resumes; None keeps none.
        context: ``device`` (default ``cpu``), ``data_root``, ``report`` (called with a line of
            progress, pieces done and pieces in all).

    Raises:
        BadInput: the Scenario cannot be run as given.
    """
    if isinstance(scenario, Trial):
        return membership.run(scenario, out=out, **context)
    if isinstance(scenario, Exam):
        return audit.run(scenario, out=out, **context)
    return invert.run(scenario, out=out, **context)
