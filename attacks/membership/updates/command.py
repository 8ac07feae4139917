"""Translates the command line of attacks.membership.updates into a Scenario and back."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attacks.membership.updates.scenario import Scenario
from reports.commands.flags import Parser, add_run_flags
from reports.commands.origins import note
from reports.records import Record
from victims.federated.flags import PROG as FEDERATION
from victims.federated.flags import federation_of, federation_parser, words_of

PROG = "python -m attacks.membership.updates"
DESCRIPTION = "Find a participant's members in what it uploads round after round."
SWEPT: Mapping[str, Sequence[str]] = {}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the command, of the federation and of its defense."""
    return parser(argv).parse_args(argv)


def parser(argv: Sequence[str] | None) -> Parser:
    """The parser for the rule and the defense that ``argv`` chooses."""
    flags = federation_parser(argv, PROG, DESCRIPTION)
    number = Scenario().examples
    flags.set_defaults(examples=number)
    action = flags.action("--examples")
    assert action is not None
    action.help = f"of each participant; as many further candidates are nobody's (default {number})"
    text = "fedavg, fedsgd: the server sees the mean of a round's uploads alone"
    flags.add_argument("--secure-aggregation", action="store_true", help=text)
    add_run_flags(flags, "membership.updates")
    return flags


def scenario(arguments: argparse.Namespace) -> Scenario:
    """The Scenario that the flags say.

    Raises:
        BadInput: no such Scenario, or an unknown defense or option.
    """
    return Scenario(federation_of(arguments), arguments.secure_aggregation)


def command_line(scenario: Scenario) -> str:
    """The command that plays this Scenario again, with the flags that are not at their default."""
    words = words_of(scenario.federation).removeprefix(FEDERATION)
    return f"{PROG} {words}{' --secure-aggregation' * scenario.secure_aggregation}"


def run(scenario: Scenario, *, out: Path | None = None, **context: Any) -> Record:
    """See `attacks.membership.updates.study.study`."""
    from attacks.membership.updates.study import study

    record = note(scenario.document(), lambda: study(scenario, out=out, **context))
    record.environment["command"] = command_line(scenario)
    return record
