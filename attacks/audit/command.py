"""Translates the command line of attacks.audit into a Scenario and back."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from attacks.audit.scenario import CANARIES, Scenario, usual_auditors
from attacks.audit.study import study
from reports.commands.flags import Parser, add_run_flags, line
from reports.commands.origins import run_study
from reports.commands.parsers import once_per_choice
from reports.records import Record
from victims.training.flags import training_of, training_parser, training_values

PROG = "python -m attacks.audit"
DESCRIPTION = "Attack a guarantee: train with canaries, prove a lower bound on epsilon."
SWEPT: Mapping[str, Sequence[str]] = {}
FIELDS = ("canaries", "canary", "length", "runs", "methods", "confidence", "claim")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the command, of the training and of its defense."""
    return parser(argv).parse_args(argv)


@once_per_choice
def parser(argv: Sequence[str] | None) -> Parser:
    """The parser for the defense that ``argv`` chooses."""
    from attacks.audit import names

    start = Scenario()
    flags = training_parser(argv, PROG, DESCRIPTION, count=500)
    add = flags.add_argument_group("audit").add_argument
    add("--canaries", type=int, default=start.canaries, help="in each run (default 1000)")
    add(
        "--canary",
        choices=CANARIES,
        default=start.canary,
        help="dirac, random gradients, white-box; mislabelled examples, black-box (default dirac)",
    )
    add(
        "--length",
        type=float,
        default=start.length,
        help="of gradients, in clipping norms (default 10)",
    )
    add("--runs", type=int, default=1, help="trainings whose canaries count together (default 1)")
    add(
        "--methods",
        nargs="+",
        metavar="NAME",
        help=f"{', '.join(names())} (default gdp for a defense that claims Gaussian noise, else "
        "one-run and threshold; one-run for mislabelled)",
    )
    add("--confidence", type=float, default=start.confidence, help="of the verdict (default 0.95)")
    add("--claim", type=float, help="epsilon claimed for the run (default: the accountant's)")
    add_run_flags(flags, "audit", at_a_time="trainings")
    return flags


def scenario(arguments: argparse.Namespace) -> Scenario:
    """The Scenario that the flags say.

    Raises:
        BadInput: no such Scenario, or an unknown auditor, defense or option.
    """
    values = {name: getattr(arguments, name) for name in FIELDS}
    values["methods"] = tuple(values["methods"] or ())
    training = training_of(arguments)
    return Scenario(dataclasses.replace(training, seed=0), **values, seed=training.seed)


def command_line(scenario: Scenario) -> str:
    """The command that plays this Scenario again, with the flags that are not at their default."""
    values = training_values(scenario.training) | {name: getattr(scenario, name) for name in FIELDS}
    known = scenario.methods == usual_auditors(scenario.training, scenario.canary)
    values |= {"methods": None if known else list(scenario.methods), "seed": scenario.seed}
    return line(PROG, parser(["--defense", scenario.training.defense]), values)


def run(scenario: Scenario, **context: Any) -> Record:
    """See `attacks.audit.study.study`."""
    return run_study(scenario, study, command_line, **context)
