"""Translates the command line of victims.federated into a Federation and back."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from reports.commands.flags import Parser, add_run_flags
from reports.commands.parsers import once_per_choice
from reports.commands.progress import Report, unwatched
from reports.records import Record
from reports.records.training import Round
from victims.federated.flags import PROG, federation_of, federation_parser, words_of
from victims.federated.scenario import Federation

SWEPT: Mapping[str, Sequence[str]] = {}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the command and of the chosen defense."""
    return parser(argv).parse_args(argv)


@once_per_choice
def parser(argv: Sequence[str] | None) -> Parser:
    """The parser for the rule and the defense that ``argv`` chooses."""
    flags = federation_parser(argv)
    add_run_flags(flags, "federated")
    flags.add_argument(
        "--engine",
        default="process",
        help="process: here, the same to the last bit; simulation: Flower's, on Ray "
        "(default process)",
    )
    flags.add_argument(
        "--timeout",
        type=float,
        default=600.0,
        help="seconds after which a participant is late (default 600)",
    )
    flags.add_argument(
        "--save-seconds",
        type=float,
        default=10.0,
        help="a checkpoint after a round when the last is so old (default 10)",
    )
    return flags


def scenario(arguments: argparse.Namespace) -> Federation:
    """The Federation that the flags say, see `victims.federated.flags.federation_of`."""
    return federation_of(arguments)


def command_line(federation: Federation) -> str:
    """The command that runs this federation again, with the flags that are not at default."""
    return f"{PROG} {words_of(federation)}"


def run(
    federation: Federation,
    *,
    out: Path | None = None,
    device: str = "cpu",
    data_root: str | None = None,
    report: Report = unwatched,
) -> Record:
    """Run a federation in this process, from the checkpoint in ``out`` where there is one.

    Returns:
        The Record; the weights lie in ``out/weights.safetensors``.

    Raises:
        BadInput: before anything is written.
    """
    from victims.federated.engine import run_federation
    from victims.federated.record import record_of
    from victims.federated.victim import load_victim
    from victims.federated.weights import write_weights

    victim = load_victim(federation, data_root)

    def watch(row: Round) -> None:
        report(f"round {row['epoch']}", row["epoch"], federation.rounds)

    server, rows = run_federation(victim, out, watch=watch)
    if out is not None:
        write_weights(victim, server, out)
    return record_of(victim, server, rows, device, command_line(federation))
