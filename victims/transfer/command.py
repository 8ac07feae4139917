"""Translates the command line of victims.transfer into a Transfer and back."""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from defenses import BadInput
from defenses.privacy.full_batch import CONVERSIONS
from reports.commands.flags import Parser, add_options, add_run_flags, given_options, line
from reports.commands.progress import Report, unwatched
from reports.records import Record
from victims.transfer.contract import registry
from victims.transfer.features import store
from victims.transfer.head import write_head
from victims.transfer.scenario import Transfer
from victims.transfer.study import prepare, study

PROG = "python -m victims.transfer"
DESCRIPTION = "Fit a private head on frozen public features (Mehta et al. 2022, 2023)."
SWEPT: Mapping[str, Sequence[str]] = {}
EPSILON = 1.0
"""Where neither an epsilon nor a noise multiplier is given."""
FIELDS = ("data", "count", "size", "backbone", "method", "delta", "conversion", "seed")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the command and of the chosen method."""
    return parser(argv).parse_args(argv)


def parser(argv: Sequence[str] | None) -> Parser:
    """The parser for the method that ``argv`` chooses."""
    from victims.transfer import names
    from victims.transfer.backbones.load import KNOWN

    start = Transfer(epsilon=EPSILON)
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--method", default=start.method)
    chosen, _ = first.parse_known_args(argv)
    flags = Parser(prog=PROG, description=DESCRIPTION, allow_abbrev=False)
    add = flags.add_argument
    add("--method", default=start.method, help=f"{', '.join(names())} (default {start.method})")
    add("--backbone", default=start.backbone, help=f"{KNOWN} (default {start.backbone})")
    add("--data", default=start.data, help="see victims.train (default digits)")
    add("--count", type=int, help="private examples, chosen with the seed (default: all)")
    add("--size", type=int, help="image edge for photos and folder:")
    add("--epsilon", type=float, help="of the whole fit; sets the noise (default 1); inf: no noise")
    add("--noise-multiplier", type=float, help="noise std over sensitivity, instead of --epsilon")
    add("--delta", type=float, default=start.delta, help="of the guarantee (default 1e-05)")
    add(
        "--conversion",
        choices=CONVERSIONS,
        default=start.conversion,
        help="of noise to epsilon: exact, or as in the papers, which takes more noise",
    )
    add("--seed", type=int, default=start.seed, help="of everything random (default 0)")
    add_options(flags, registry.find(chosen.method), "method", chosen.method)
    add_run_flags(flags, "transfer")
    add(
        "--features",
        type=Path,
        help="folder of kept features (default $LEAKGAUGE_FEATURES, else ~/.cache/leakgauge)",
    )
    return flags


def scenario(arguments: argparse.Namespace) -> Transfer:
    """The Transfer that the flags say.

    Raises:
        BadInput: no such Transfer, or an unknown method or option.
    """
    given = {name: getattr(arguments, name) for name in FIELDS}
    options = given_options(arguments, "method")
    registry.get(arguments.method, **options)
    epsilon, noise = arguments.epsilon, arguments.noise_multiplier
    if epsilon is None and noise is None:
        epsilon = EPSILON
    if epsilon is not None and math.isinf(epsilon) and epsilon > 0:
        if noise is not None:
            raise BadInput("give one of --epsilon and --noise-multiplier")
        epsilon, noise = None, 0.0
    if epsilon is not None and not (epsilon > 0 and math.isfinite(epsilon)):
        raise BadInput(f"epsilon is {epsilon:g}; it must be > 0, or inf for no noise")
    return Transfer(**given, options=options, epsilon=epsilon, noise_multiplier=noise)


def command_line(transfer: Transfer) -> str:
    """The command that fits this head again, with the flags that are not at their default."""
    values: dict[str, Any] = {
        f.name: getattr(transfer, f.name) for f in dataclasses.fields(transfer)
    }
    values |= {f"method.{k}": v for k, v in values.pop("options").items()}
    return line(PROG, parser(["--method", transfer.method]), values)


def run(
    transfer: Transfer,
    *,
    out: Path | None = None,
    device: str = "cpu",
    data_root: str | None = None,
    features: Path | None = None,
    report: Report = unwatched,
) -> Record:
    """Fit a head; it lies in ``out/head.safetensors``, its features where they are kept.

    Raises:
        BadInput: before anything is written but features.
    """
    where = {"folder": store(features), "device": device, "data_root": data_root}
    prepared = prepare(transfer, report=report, **where)  # type: ignore[arg-type]
    report("fitting", 0, 1)
    record, head = study(prepared, device, command_line(transfer))
    if out is not None:
        write_head(head, record, out)
    return record
