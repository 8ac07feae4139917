"""Translates the command line of attacks.membership.heads into a Scenario and back."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from attacks.membership.heads.scenario import Scenario
from attacks.membership.heads.study import study
from reports.commands.flags import Parser, add_run_flags, line
from reports.commands.origins import run_study
from reports.commands.parsers import once_per_choice
from reports.records import Record
from victims.transfer.flags import fields_around, transfer_parser, values_around

PROG = "python -m attacks.membership.heads"
DESCRIPTION = "Find the members of a private head by shadow heads."
FIELDS = ("shadows", "population", "attacks")
SWEPT: Mapping[str, Sequence[str]] = {}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the command, of the head and of its method."""
    return parser(argv).parse_args(argv)


@once_per_choice
def parser(argv: Sequence[str] | None) -> Parser:
    """The parser for the method that ``argv`` chooses."""
    from attacks.membership import names

    start = Scenario()
    flags = transfer_parser(argv, PROG, DESCRIPTION, backbone="raw", count=500)
    add = flags.add_argument_group("membership").add_argument
    add("--shadows", type=int, default=start.shadows, help="shadow heads (default 64)")
    add("--population", type=int, default=start.population, help="further examples (default 200)")
    add(
        "--attacks",
        nargs="+",
        default=list(start.attacks),
        metavar="NAME",
        help=f"{', '.join(names())} (default {' '.join(start.attacks)})",
    )
    add_run_flags(flags, "membership.heads")
    return flags


def scenario(arguments: argparse.Namespace) -> Scenario:
    """The Scenario that the flags say.

    Raises:
        BadInput: no such Scenario, or an unknown attack, method or option.
    """
    return Scenario(**fields_around(arguments, FIELDS))


def command_line(scenario: Scenario) -> str:
    """The command that plays this Scenario again, with the flags that are not at their default."""
    chosen = parser(["--method", scenario.transfer.method])
    return line(PROG, chosen, values_around(scenario, FIELDS))


def run(scenario: Scenario, **context: Any) -> Record:
    """See `attacks.membership.heads.study.study`."""
    return run_study(scenario, study, command_line, **context)
