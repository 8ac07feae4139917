"""Translates the command line of attacks.invert.heads into a Scenario and back."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from attacks.invert.heads.scenario import SEEN, Scenario
from attacks.invert.heads.study import study
from reports.commands.flags import Parser, add_run_flags, line
from reports.commands.origins import run_study
from reports.commands.parsers import once_per_choice
from reports.records import Record
from victims.transfer.flags import fields_around, transfer_parser, values_around

PROG = "python -m attacks.invert.heads"
DESCRIPTION = "Name and rebuild private images from all that a private head releases."
FIELDS = ("images", "candidates", "see", "iterations")
SWEPT: Mapping[str, Sequence[str]] = {}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the command, of the head and of its method."""
    return parser(argv).parse_args(argv)


@once_per_choice
def parser(argv: Sequence[str] | None) -> Parser:
    """The parser for the method that ``argv`` chooses."""
    start = Scenario()
    flags = transfer_parser(argv, PROG, DESCRIPTION, backbone="raw", count=200)
    add = flags.add_argument_group("inversion").add_argument
    text = "private images that are sought, one to a fit beside the others (default 16)"
    add("--images", type=int, default=start.images, help=text)
    text = "images among which the private one is to be named; 1: no game (default 64)"
    add("--candidates", type=int, default=start.candidates, help=text)
    text = "what features are made of: gradients and class sums, or Gramians (default gradients)"
    add("--see", choices=SEEN, default=start.see, help=text)
    text = "steps of the decoder beyond a linear map, learned on public images (default 200)"
    add("--iterations", type=int, default=start.iterations, help=text)
    add_run_flags(flags, "invert.heads")
    return flags


def scenario(arguments: argparse.Namespace) -> Scenario:
    """The Scenario that the flags say.

    Raises:
        BadInput: no such Scenario, or an unknown method or option.
    """
    return Scenario(**fields_around(arguments, FIELDS))


def command_line(scenario: Scenario) -> str:
    """The command that plays this Scenario again, with the flags that are not at their default."""
    chosen = parser(["--method", scenario.transfer.method])
    return line(PROG, chosen, values_around(scenario, FIELDS))


def run(scenario: Scenario, **context: Any) -> Record:
    """See `attacks.invert.heads.study.study`."""
    return run_study(scenario, study, command_line, **context)
