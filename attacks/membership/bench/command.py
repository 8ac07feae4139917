"""``python -m attacks.membership.bench``: seconds per shadow model in every ``--layout``.

The baseline is what one would write first: one model after another in one process, with all cores
as torch's threads. The layouts are timed as the command runs them, in one single-threaded process
per core (on a GPU in one process). Ratios are within a round, so that the machine cancels.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import joblib

from attacks.membership.bench.contenders import (
    BASELINE,
    BATCH,
    CONTENDERS,
    MEMBERS,
    Setting,
    begin,
    prepare,
    run,
)
from attacks.membership.shadows.layouts import GROUP
from defenses import BadInput
from reports.commands.flags import DEVICE, DEVICES, Parser, chosen_device
from reports.commands.measured import Measured
from reports.commands.workers import kill, start_pool, submit
from reports.records.environment import environment, environment_line
from victims.gradients.memory import keep_memory

PROG = "python -m attacks.membership.bench"
MODELS = ("mlp", "lenet5", "lenet", "convnet", "dpcnn")
DEFENSES = ("none", "dpsgd", "dprs")
STEPS = 1000
"""The table states the seconds of so many steps of a shadow model; fewer are timed."""


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the benchmark."""
    parser = Parser(prog=PROG, description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--models", nargs="+", default=list(MODELS), help=f"default {' '.join(MODELS)}")
    add("--defenses", nargs="+", choices=DEFENSES, default=list(DEFENSES), help="default: all")
    add("--repeats", type=int, default=5, help="rounds over all layouts (default 5)")
    add("--seconds", type=float, default=0.5, help="of the baseline in a round (default 0.5)")
    add("--sizes", nargs="+", type=int, help="models together (default: as the command takes)")
    add("--layouts", nargs="+", choices=CONTENDERS, default=list(CONTENDERS), help="default: all")
    add("--json", type=Path, metavar="FILE", help="also write the rows there, each when it is had")
    add("--jobs", type=int, help="processes (default: one per core, on a GPU 1)")
    add("--seed", type=int, default=0, help="of everything random (default 0)")
    add("--device", choices=DEVICES, default="auto", help=DEVICE)
    arguments = parser.parse_args(argv)
    for flag in ("repeats", "jobs", "seconds"):
        value = getattr(arguments, flag)
        if value is not None and not value > 0:
            raise BadInput(f"--{flag} is {value}; it must be > 0")
    if min(arguments.sizes or [1]) < 1:
        raise BadInput(f"--sizes has {min(arguments.sizes)}; each must be >= 1")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table in Markdown. Returns the exit code."""
    arguments = parse(argv)
    device = chosen_device(arguments.device)
    keep_memory()
    jobs = arguments.jobs or (1 if device == "cuda" else joblib.cpu_count())
    facts = environment(seed=arguments.seed, device=device)
    sizes = arguments.sizes or [GROUP["cuda" if device == "cuda" else "cpu"]]
    kept = Measured(arguments.json, {"command": PROG, "jobs": jobs, **facts})
    print(
        f"seconds per shadow model of {STEPS} steps (Poisson batches of {BATCH} expected, of "
        f"{MEMBERS} random 3x32x32 images, float32), from fewer steps; times faster than one "
        f"after another: median (min-max) of {arguments.repeats} interleaved rounds; dprs at 0.9; "
        f"{jobs} processes; together: K models at a time; threads are those of the baseline"
    )
    print(f"{environment_line(facts)}\n")
    named = " | ".join(arguments.layouts)
    print(f"| model | defense | K | {BASELINE}, s | {named} | fastest, s |")
    print("|---|---|---|---" + "|---" * len(arguments.layouts) + "|---|")
    # One pool per process, so that each process gets its share of every round.
    pools = [start_pool(1, begin) for _ in range(1 + jobs)]
    try:
        for model in arguments.models:
            for defense, size in product(arguments.defenses, sizes):
                setting = Setting(model, defense, device, size, arguments.seed)
                print(_row(setting, arguments, pools, facts["threads"], kept), flush=True)
    finally:
        for pool in pools:
            kill(pool)
    return 0


def _row(
    setting: Setting,
    arguments: argparse.Namespace,
    pools: list[ProcessPoolExecutor],
    threads: int,
    kept: Measured,
) -> str:
    """A line of the table; the first pool is the baseline's."""
    layouts = arguments.layouts
    crews = {name: pools[1:] for name in layouts} | {BASELINE: pools[:1]}
    refused: dict[str, str] = {}
    for name, crew in crews.items():
        share = threads if name == BASELINE else 1
        waiting = [submit(pool, prepare, setting, name, share) for pool in crew]
        why = next((said for future in waiting if (said := future.result())), "")
        if why:
            refused[name] = why.replace("|", "/")
    lead = f"| {setting.model} | {setting.defense} | {setting.size} | "
    row = {"model": setting.model, "defense": setting.defense, "together": setting.size}
    if BASELINE in refused:
        return lead + f"{refused[BASELINE]} |" + " - |" * (1 + len(layouts))
    spent: dict[str, list[float]] = {n: [] for n in (BASELINE, *layouts) if n not in refused}
    steps = max(1, round(arguments.seconds / _seconds(setting, BASELINE, 2, crews[BASELINE])))
    for _ in range(arguments.repeats):
        for name, times in spent.items():
            times.append(_seconds(setting, name, steps, crews[name]))
    seconds = {name: STEPS * statistics.median(times) for name, times in spent.items()}
    kept.add(**row, refused=refused, seconds_per_step=spent)
    cells = [f"{seconds[BASELINE]:.3g}"]
    for name in layouts:
        if name in refused:
            cells.append(refused[name])
            continue
        ratios = [a / b for a, b in zip(spent[BASELINE], spent[name], strict=True)]
        cells.append(f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})")
    fastest = min(seconds, key=lambda name: seconds[name])
    return lead + " | ".join([*cells, f"{fastest}, {seconds[fastest]:.3g}"]) + " |"


def _seconds(
    setting: Setting, name: str, steps: int, pools: Sequence[ProcessPoolExecutor]
) -> float:
    """Seconds per model and step, while the process of each pool trains models of its own."""
    began = time.perf_counter()
    waiting = [submit(pool, run, setting, name, steps) for pool in pools]
    steps_taken = sum(future.result() for future in waiting)
    return (time.perf_counter() - began) / steps_taken
