"""Translates the command line of attacks.membership into a Scenario and back."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from attacks.membership.scenario import LAYOUTS, QUERIES, Scenario, attack_of
from attacks.membership.study import study
from reports.commands.flags import Parser, add_run_flags, line
from reports.commands.origins import note
from reports.commands.parsers import once_per_choice
from reports.records import Record
from victims.training.flags import training_of, training_parser, training_values

PROG = "python -m attacks.membership"
DESCRIPTION = "Train a target and shadow models under a defense; ask who was in the data."
SWEPT: Mapping[str, Sequence[str]] = {}
FIELDS = ("shadows", "population", "queries", "watched", "layout", "attacks")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the command, of the training and of its defense."""
    return parser(argv).parse_args(argv)


@once_per_choice
def parser(argv: Sequence[str] | None) -> Parser:
    """The parser for the defense that ``argv`` chooses."""
    from attacks.membership import names

    start = Scenario()
    flags = training_parser(argv, PROG, DESCRIPTION, count=start.members)
    add = flags.add_argument_group("membership").add_argument
    add(
        "--attacks",
        nargs="+",
        default=list(start.attacks),
        metavar="NAME[,OPTION=VALUE]",
        help=f"{', '.join(names())} (default {' '.join(start.attacks)})",
    )
    add("--shadows", type=int, default=start.shadows, help="shadow models, even (default 16)")
    add("--population", type=int, default=start.population, help="further examples (default 500)")
    add("--queries", type=int, choices=QUERIES, default=1, help="2: the mirrored image too")
    add("--watched", type=int, default=start.watched, help="releases seen white-box (default 20)")
    text = "of weights in memory; together: several shadows in lockstep (default auto: measured)"
    add("--layout", choices=LAYOUTS, default=start.layout, help=text)
    add_run_flags(flags, "membership", at_a_time="models trained")
    return flags


def scenario(arguments: argparse.Namespace) -> Scenario:
    """The Scenario that the flags say; ``--count`` is how many members each model has.

    Raises:
        BadInput: no such Scenario, or an unknown attack, defense or option.
    """
    values = {name: getattr(arguments, name) for name in FIELDS}
    values["attacks"] = tuple(values["attacks"])
    for text in values["attacks"]:
        attack_of(text)
    training = training_of(arguments)
    seed = training.seed
    return Scenario(dataclasses.replace(training, seed=0), **values, seed=seed)


def command_line(scenario: Scenario) -> str:
    """The command that plays this Scenario again, with the flags that are not at their default."""
    values = training_values(scenario.training) | {name: getattr(scenario, name) for name in FIELDS}
    values |= {"attacks": list(scenario.attacks), "seed": scenario.seed}
    return line(PROG, parser(["--defense", scenario.training.defense]), values)


def run(scenario: Scenario, **context: Any) -> Record:
    """See `attacks.membership.study.study`."""
    record = note(scenario.document(), lambda: study(scenario, **context))
    how = record.environment["how"]
    # The command names the layout that was chosen by measuring: only it gives the same last bits.
    fixed = dataclasses.replace(scenario, layout=how["layout"])
    record.environment["command"] = command_line(fixed)
    return record
