"""``python -m victims.reproduce``: published accuracies of private training, run again."""

from __future__ import annotations

import argparse
import dataclasses
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reports.commands.claim import Writes, claim
from reports.commands.flags import DATA_ROOT, DEVICE, DEVICES, Parser, chosen_device
from reports.commands.keep import earlier_record
from reports.records import read
from victims.reproduce.published import ROWS
from victims.train import WRITES, command_line
from victims.training import Training
from victims.training.checkpoint import holds_run
from victims.training.finish import finish, train_to_the_end

PROG = "python -m victims.reproduce"


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the command."""
    names = [r.name for r in ROWS]
    parser = Parser(prog=PROG, description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    quick = [r.name for r in ROWS if not r.slow]
    add("--rows", nargs="+", choices=names, default=quick, metavar="ROW", help=", ".join(names))
    add("--seeds", type=int, default=3, help="runs per row, seeds 0, 1, ... (default 3)")
    add("--data-root", help=DATA_ROOT)
    add("--device", choices=DEVICES, default="auto", help=DEVICE)
    add(
        "--out",
        type=Path,
        default=Path("runs/reproduce"),
        help="folder of the results (default runs/reproduce)",
    )
    add("--table", action="store_true", help="only print the table of what has been run")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run what is missing, print the table. Returns the exit code."""
    arguments = parse(argv)
    from victims.gradients.memory import keep_memory
    from victims.training.features import STORE

    device = chosen_device(arguments.device)
    keep_memory()
    chosen = [r for r in ROWS if r.name in arguments.rows]
    STORE.keep()
    for row in [] if arguments.table else chosen:
        for seed in range(arguments.seeds):
            training = dataclasses.replace(row.training, seed=seed)
            folder = arguments.out / f"{row.name}-{seed}"
            if earlier_record(folder, training.document()) is not None:
                continue
            print(f"\n## {row.name}, seed {seed}: {command_line(training)}\n", flush=True)
            with claim(folder, Writes("victims.train", WRITES), holds_run):
                _train(training, folder, device=device, data_root=arguments.data_root)
        if row.training.data == "cifar10":
            STORE.forget()  # too large to keep
    print("\n" + table(arguments.out))
    return 0


def _train(training: Training, folder: Path, **where: Any) -> None:
    from reports.commands.progress import Progress
    from victims.training import prepare, run
    from victims.training.show import describe

    with Progress() as bar:
        prepared = prepare.prepare(training, report=bar, **where)
    describe(prepared)
    with Progress() as bar:
        rows = train_to_the_end(run.run(prepared, folder, keep=0, report=bar))
    finish(prepared, rows, folder, where["device"], command_line(training))


def table(folder: Path) -> str:
    """Markdown of every row and what its finished runs in ``folder`` reached."""
    lines = [
        "| setting | published % | ours %: mean (seeds) | sigma | epsilon RDP / PRV | command |",
        "|---|---|---|---|---|---|",
    ]
    for row in ROWS:
        folders = sorted(folder.glob(f"{row.name}-[0-9]*"))
        finished = [record for one in folders if (record := read(one)) is not None]
        reached, noise, spent = "", "", ""
        if finished:
            values = [100 * record.summary["accuracy"]["mean"] for record in finished]
            reached = f"{statistics.mean(values):.2f} ({', '.join(f'{v:.2f}' for v in values)})"
            bounds = finished[0].bounds
            noise = f"{bounds['noise_multiplier']:.3f}"
            spent = f"{bounds['epsilon']['rdp']:.2f} / {bounds['epsilon']['prv']:.2f}"
        published = "-" if row.published is None else f"{row.published:.1f}"
        how = f"`{command_line(row.training)}`"
        lines.append(f"| {row.what} | {published} | {reached} | {noise} | {spent} | {how} |")
    return "\n".join(lines)
