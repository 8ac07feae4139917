"""Translates the command line of victims.transfer into a Transfer and back."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from reports.commands.flags import Parser, add_run_flags, line
from reports.commands.parsers import once_per_choice
from reports.commands.progress import Report, expect, unwatched
from reports.records import Record
from victims.transfer.checkpoint import SAVE_SECONDS
from victims.transfer.cost import seconds_of
from victims.transfer.features import store
from victims.transfer.flags import add_features_flag, transfer_of, transfer_parser, transfer_values
from victims.transfer.head import write_head
from victims.transfer.prepare import prepare
from victims.transfer.scenario import Transfer
from victims.transfer.study import checkpoint_in, fits_of, study

PROG = "python -m victims.transfer"
DESCRIPTION = "Fit a private head on frozen public features (Mehta et al. 2022, 2023)."
SWEPT: Mapping[str, Sequence[str]] = {}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the command and of the chosen method."""
    return parser(argv).parse_args(argv)


@once_per_choice
def parser(argv: Sequence[str] | None) -> Parser:
    """The parser for the method that ``argv`` chooses."""
    flags = transfer_parser(argv, PROG, DESCRIPTION)
    flags.add_argument(
        "--secure",
        action="store_true",
        help="noise and batches from the operating system, which nobody can draw again; no control",
    )
    flags.add_argument(
        "--save-seconds",
        type=float,
        default=SAVE_SECONDS,
        help="releases are kept so often, for a fit that is killed (default 60)",
    )
    add_run_flags(flags, "transfer")
    add_features_flag(flags)
    return flags


def scenario(arguments: argparse.Namespace) -> Transfer:
    """The Transfer that the flags say, see `victims.transfer.flags.transfer_of`."""
    return transfer_of(arguments)


def command_line(transfer: Transfer) -> str:
    """The command that fits this head again, with the flags that are not at their default."""
    return line(PROG, parser(["--method", transfer.method]), transfer_values(transfer))


def run(
    transfer: Transfer,
    *,
    out: Path | None = None,
    device: str = "cpu",
    data_root: str | None = None,
    report: Report = unwatched,
) -> Record:
    """Fit a head; it lies in ``out/head.safetensors``, its features where they are kept.

    A fit in ``out`` that was killed is gone on with.

    Raises:
        BadInput: before anything is written but features.
    """
    prepared = prepare(transfer, folder=store(), device=device, data_root=data_root, report=report)
    plan = prepared.plan
    expect(report, lambda: seconds_of(plan.method, prepared.problem, fits_of(transfer)))
    report("fitting", 0, 1)
    past = None if out is None else checkpoint_in(out, prepared)
    record, head = study(prepared, device, command_line(transfer), past=past)
    if out is not None:
        write_head(head, record, out)
    if past is not None and not transfer.secure:  # a secure fit must not begin again, ever
        past.clear()
    return record
