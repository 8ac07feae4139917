"""``python -m victims.train``: train a victim under a defense, watch what it spends and learns."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from defenses import BadInput
from reports.commands.entry import run_command
from reports.commands.flags import Parser, add_run_flags, chosen_device, line
from reports.commands.parsers import once_per_choice

if TYPE_CHECKING:
    from reports.commands.claim import Claim
    from reports.commands.progress import Report
    from reports.records import Record
    from victims.training import Training

PROG = "python -m victims.train"
WRITES = (
    "result.json",
    "arrays.safetensors",
    "weights.safetensors",
    "checkpoint.safetensors",
    "checkpoints/step-*.safetensors",
    "states/step-*.safetensors",
    "releases/truth.safetensors",
    "releases/step-*/weights.safetensors",
    "releases/step-*/example-*.safetensors",
)
"""What a run leaves in its folder; ``states`` come from attacks on it."""
SWEPT: Mapping[str, Sequence[str]] = {}
"""Flags that a sweep sets otherwise than a run: none."""


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the command and of the chosen defense."""
    return parser(argv).parse_args(argv)


@once_per_choice
def parser(argv: Sequence[str] | None) -> Parser:
    """The parser for the defense that ``argv`` chooses."""
    from victims.training.flags import training_parser

    flags = training_parser(argv, PROG, __doc__)
    add = flags.add_argument
    add(
        "--secure",
        action="store_true",
        help="for deployments: noise and batches from the operating system, kept nowhere",
    )
    add(
        "--record-every",
        type=int,
        default=0,
        help="keep the releases of chosen examples every so many steps",
    )
    add("--record-images", type=int, default=8, help="how many private examples (default 8)")
    add("--keep", type=int, default=10, help="checkpoints kept besides the latest (default 10)")
    add(
        "--save-seconds",
        type=float,
        default=60.0,
        help="a checkpoint at least so often (default 60)",
    )
    add_run_flags(flags, "train")
    return flags


def scenario(arguments: argparse.Namespace) -> Training:
    """The Training that the flags say; see `victims.training.flags.training_of`."""
    from victims.training.flags import training_of

    return training_of(arguments)


def command_line(training: Training) -> str:
    """The command that trains this again, with the flags that are not at their default."""
    from victims.training.flags import training_values

    return line(PROG, parser(["--defense", training.defense]), training_values(training))


def run(
    training: Training,
    *,
    out: Path | None = None,
    device: str = "cpu",
    data_root: str | None = None,
    report: Report = lambda text, done, total: None,
) -> Record:
    """Train to the end, from the last checkpoint in ``out`` where there is one.

    Returns:
        The Record; the weights lie in ``out/weights.safetensors``.

    Raises:
        BadInput: before anything is written.
        victims.training.run.Stopped: see `victims.training.trainer.Trainer.advance`.
    """
    from victims.training import prepare, run
    from victims.training.record import record_of
    from victims.training.weights import write_weights

    prepared = prepare.prepare(training, device=device, data_root=data_root, report=report)
    rows = list(run.run(prepared, out, report=report))
    if out is not None:
        write_weights(prepared, out / "weights.safetensors")
    return record_of(prepared, rows, device, command_line(training))


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, train, print a row per epoch, write the Record. Returns the exit code."""
    arguments = parse(argv)
    from reports.commands.claim import Writes, claim
    from reports.commands.keep import is_made_by
    from victims.gradients.memory import keep_memory
    from victims.training import checkpoint, run

    device = chosen_device(arguments.device)
    for flag, value in (("keep", arguments.keep), ("save-seconds", arguments.save_seconds)):
        if not value >= 0:
            raise BadInput(f"--{flag} is {value}; it must be >= 0")
    keep_memory()
    training = scenario(arguments)
    if training.secure and arguments.record_every:
        raise BadInput("--record-every writes single people's releases: not with --secure")
    out = arguments.out or Path("runs") / f"train-{training.key()}"
    writes = Writes("victims.train", WRITES)

    def recognise(folder: Path) -> bool:
        return is_made_by(writes.command, folder) or checkpoint.holds_run(folder)

    try:
        with claim(out, writes, recognise) as held:
            if arguments.fresh:
                held.refuse_strangers()
            _train(arguments, training, held, device)
    except run.Stopped as error:
        print(f"{PROG}: {error}", file=sys.stderr)
        return 1
    return 0


def _train(arguments: argparse.Namespace, training: Training, held: Claim, device: str) -> None:
    """Train in a folder that is this run's; all flags are checked before a file of it changes."""
    from reports.commands.keep import earlier_record
    from reports.commands.progress import Progress
    from victims.training import prepare, releases, run
    from victims.training.finish import finish, train_to_the_end
    from victims.training.show import describe

    out = held.folder
    with Progress() as bar:
        place = {"device": device, "data_root": arguments.data_root}
        prepared = prepare.prepare(training, report=bar, **place)
    recorder = releases.Recorder(
        prepared, out / "releases", arguments.record_every, arguments.record_images
    )
    if arguments.fresh:
        held.clear()
    else:
        earlier_record(out, prepared.trainer.plan.training.document())
    describe(prepared)
    with Progress() as bar:
        rows = run.run(
            prepared,
            out,
            keep=arguments.keep,
            save_seconds=arguments.save_seconds,
            report=bar,
            watch=recorder,
        )
        finished = train_to_the_end(rows)
    for path in finish(prepared, finished, out, device, command_line(training)):
        print(path)


if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
