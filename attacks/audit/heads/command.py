"""Translates the command line of attacks.audit.heads into a Scenario and back."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from attacks.audit.heads.scenario import Scenario
from attacks.audit.heads.study import study
from reports.commands.flags import Parser, add_run_flags, line
from reports.commands.origins import run_study
from reports.commands.parsers import once_per_choice
from reports.records import Record
from victims.transfer.flags import fields_around, transfer_parser, values_around

PROG = "python -m attacks.audit.heads"
DESCRIPTION = "Attack a private head's guarantee: fit it often, with a canary and without."
FIELDS = ("runs", "canary", "auditor", "confidence", "claim")
SWEPT: Mapping[str, Sequence[str]] = {}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the command, of the head and of its method."""
    return parser(argv).parse_args(argv)


@once_per_choice
def parser(argv: Sequence[str] | None) -> Parser:
    """The parser for the method that ``argv`` chooses."""
    from attacks.audit import names

    start = Scenario()
    flags = transfer_parser(argv, PROG, DESCRIPTION, backbone="raw", count=200)
    add = flags.add_argument_group("audit").add_argument
    add("--runs", type=int, default=start.runs, help="fits (default 1000)")
    add(
        "--canary",
        default=start.canary,
        help="a test example under a wrong label (default mislabelled)",
    )
    add("--auditor", default=start.auditor, help=f"{', '.join(names())} (default gdp)")
    add("--confidence", type=float, default=start.confidence, help="of the verdict (default 0.95)")
    add("--claim", type=float, help="epsilon claimed for the head (default: the accountant's)")
    add_run_flags(flags, "audit.heads")
    return flags


def scenario(arguments: argparse.Namespace) -> Scenario:
    """The Scenario that the flags say.

    Raises:
        BadInput: no such Scenario, or an unknown auditor, method or option.
    """
    return Scenario(**fields_around(arguments, FIELDS))


def command_line(scenario: Scenario) -> str:
    """The command that plays this Scenario again, with the flags that are not at their default."""
    chosen = parser(["--method", scenario.transfer.method])
    return line(PROG, chosen, values_around(scenario, FIELDS))


def run(scenario: Scenario, **context: Any) -> Record:
    """See `attacks.audit.heads.study.study`."""
    return run_study(scenario, study, command_line, **context)
