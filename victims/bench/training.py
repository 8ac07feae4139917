"""``python -m victims.bench.training``: seconds and memory of a training's steps, not of a run.

The trainer that ``victims.train`` uses takes as many steps as the clock allows. That is no
training: its accuracy is not told, and a run of another machine or length is not foretold.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from defenses import BadInput
from reports.commands.clock import now
from reports.commands.entry import run_command
from reports.commands.flags import DATA_ROOT, DEVICE, DEVICES, Parser, chosen_device
from reports.commands.measured import Measured
from reports.records.environment import environment, environment_line
from victims.gradients.memory import keep_memory
from victims.training.prepare import prepare
from victims.training.scenario import Training

PROG = "python -m victims.bench.training"


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the benchmark."""
    parser = Parser(prog=PROG, description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--data", default="cifar10", help="see victims.train (default cifar10)")
    add("--data-root", help=DATA_ROOT)
    add("--model", default="wrn-16-4", help="default wrn-16-4")
    add("--defenses", nargs="+", default=["none", "dpsgd", "dprs"], help="default none dpsgd dprs")
    add("--epsilon", type=float, default=1.0, help="of the whole run (default 1)")
    add("--batch", type=int, default=256, help="expected images per step (default 256)")
    add("--epochs", type=int, default=10, help="of the run whose steps are timed (default 10)")
    add("--seconds", type=float, default=20, help="for each defense (default 20)")
    add("--profile", action="store_true", help="also print where the time of five steps goes")
    add("--json", type=Path, metavar="FILE", help="also write the rows there, each when it is had")
    add("--seed", type=int, default=0, help="of everything random (default 0)")
    add("--device", choices=DEVICES, default="auto", help=DEVICE)
    arguments = parser.parse_args(argv)
    if not arguments.seconds > 0:
        raise BadInput(f"--seconds is {arguments.seconds:g}; it must be > 0")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table in Markdown. Returns the exit code."""
    arguments = parse(argv)
    device = chosen_device(arguments.device)
    keep_memory()
    facts = environment(seed=arguments.seed, device=device)
    kept = Measured(arguments.json, {"command": PROG, "batch": arguments.batch, **facts})
    print(
        f"steps of victims.train on {arguments.data}, {arguments.model}, Poisson batches of "
        f"{arguments.batch} expected, one view per example, epsilon {arguments.epsilon:g} for the "
        f"whole run; {environment_line(facts)}\n"
    )
    print("| defense | steps | s/step: median | min-max | peak GPU memory MB |")
    print("|---|---|---|---|---|")
    for name in arguments.defenses:
        _measure(name, arguments, device, kept)
    return 0


def _measure(name: str, arguments: argparse.Namespace, device: str, kept: Measured) -> None:
    """Print one line of the table."""
    training = Training(
        data=arguments.data,
        model=arguments.model,
        defense=name,
        epsilon=None if name == "none" else arguments.epsilon,
        batch_size=arguments.batch,
        epochs=arguments.epochs,
        seed=arguments.seed,
    )
    trainer = prepare(training, device=device, data_root=arguments.data_root).trainer
    trainer.advance()  # warm
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    spent: list[float] = []
    end = now(device) + arguments.seconds
    while trainer.step < trainer.plan.steps and (not spent or now(device) < end):
        began = now(device)
        trainer.advance()
        spent.append(now(device) - began)
    peak = torch.cuda.max_memory_allocated() / 1e6 if device == "cuda" else None
    kept.add(defense=name, seconds=spent, peak_mb=peak)
    print(
        f"| {name} | {len(spent)} | {statistics.median(spent):.3g} "
        f"| {min(spent):.3g}-{max(spent):.3g} | {'-' if peak is None else f'{peak:.0f}'} |",
        flush=True,
    )
    if arguments.profile:
        with torch.profiler.profile() as profile:
            for _ in range(min(5, trainer.plan.steps - trainer.step)):
                trainer.advance()
            now(device)
        order = "self_device_time_total" if device == "cuda" else "self_cpu_time_total"
        averages = profile.key_averages()
        for key in dict.fromkeys((order, "self_cpu_time_total")):
            print(f"\n{averages.table(sort_by=key, row_limit=15, max_name_column_width=60)}")


if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
