"""What a module offers whose Scenarios a sweep can run: the way from flags to a Record and back."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from reports.commands.flags import Parser
from reports.commands.progress import Report
from reports.records import Record


class Command(Protocol):
    """A command that runs Scenarios, as its module; ``S`` below is its own kind of Scenario.

    `attacks.invert.command`, `attacks.membership.command`, `attacks.audit.command`, those of their
    ``heads``, `victims.transfer.command` and `victims.train` are such modules. A Scenario is a
    `reports.records.keyed.Keyed`: whatever decides the result is in it, and neither paths nor the
    device are.
    """

    @property
    def SWEPT(self) -> Mapping[str, Sequence[str]]:  # a constant of the module
        """Name of a flag -> its words in a sweep that does not give it."""
        ...

    def parser(self, argv: Sequence[str] | None, /) -> Parser:
        """The parser for the defense and the attack that ``argv`` chooses."""
        ...

    def parse(self, argv: Sequence[str] | None, /) -> argparse.Namespace:
        """The flags in ``argv``; those of the process where it is None."""
        ...

    def scenario(self, arguments: argparse.Namespace, /) -> Any:
        """The Scenario S that the flags say.

        Raises:
            BadInput: there is no such Scenario.
        """
        ...

    def command_line(self, scenario: Any, /) -> str:
        """The command that runs this S again, with the flags that are not at their default."""
        ...

    def run(
        self,
        scenario: Any,
        /,
        *,
        out: Path | None = None,
        device: str = "cpu",
        data_root: str | None = None,
        report: Report = ...,
    ) -> Record:
        """The Record of an S; finished pieces are kept in ``out``, so that a rerun resumes."""
        ...
