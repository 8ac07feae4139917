"""``python -m reports.sweep``: cross the flags of a command, run what is missing, keep the rest.

Any flag of the command may have several values; one Scenario per combination, one Record each.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import joblib

from defenses import BadInput
from reports import records
from reports.commands.claim import Writes, claim
from reports.commands.flags import DATA_ROOT, DEVICE, DEVICES, Parser, chosen_device
from reports.commands.origins import origins
from reports.commands.progress import FIRST, span
from reports.estimates.counts import count_of
from reports.records.failure import ERROR, read_failure
from reports.records.keyed import key_of
from reports.sweep import processes, ray_cluster, serial
from reports.sweep.combine import COMMANDS, Job
from reports.sweep.cost import seconds_of
from reports.sweep.listed import LIST, listed_keys, refuse_another, write_list
from reports.sweep.progress import follow
from reports.sweep.study_file import jobs_of, split_flags
from reports.sweep.task import Outcome, Task

PROG = "python -m reports.sweep"
OWN = "--jobs --threads --executor --address --code --retry --dry-run --out --device --data-root"
OWN += " --help"
WRITES = Writes("reports.sweep", (LIST,))
EXECUTORS = ("auto", "here", "processes", "ray")
SHORT = {"-".join(name.split(".")[1:]): name for name in COMMANDS}
"""As ``leakgauge`` calls them: ``invert`` -> ``attacks.invert``."""
USAGE = "%(prog)s [COMMAND | STUDY.toml] [--FLAG VALUE ...] ... [options below]"


def parser() -> Parser:
    """The sweep's own flags; all others are the command's."""
    made = Parser(prog=PROG, usage=USAGE, description=__doc__, allow_abbrev=False)
    add = made.add_argument
    add("--jobs", type=int, help="Scenarios at a time (default: one per core, on a GPU 1)")
    add("--threads", type=int, default=1, help="of each; equal Records need equal threads (1)")
    text = "here: one after another in this process; auto: here for one job, else processes"
    add("--executor", choices=EXECUTORS, default="auto", help=text)
    add("--address", help="of the Ray cluster (default $RAY_ADDRESS, else this machine's)")
    add("--code", nargs="+", default=[], metavar="SPEC", help="code in STUDY.toml to be imported")
    add("--retry", action="store_true", help="run again what failed")
    add("--dry-run", action="store_true", help="only list the Scenarios and their commands")
    add("--out", type=Path, default=Path("runs/sweep"), help="one folder per Scenario in it")
    add("--device", choices=DEVICES, default="auto", help=DEVICE)
    add("--data-root", help=DATA_ROOT)
    made.epilog = (
        f"--seeds N stands for --seed 0 ... N-1. COMMAND is one of {', '.join(SHORT)} (default "
        "invert), or the module that it runs. STUDY.toml holds the same flags by name, and "
        "[[block]] tables."
    )
    return made


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The sweep's own flags; ``first`` and ``flags`` are the command's, not read yet."""
    words = sys.argv[1:] if argv is None else argv
    if not words:  # all of its defaults would be hours of a study that nobody asked for
        empty = parser()
        empty.print_usage(sys.stderr)
        empty.exit(2)
    first, flags = split_flags(words)
    own = [w for name in OWN.split() if name in flags for w in (name, *flags.pop(name))]
    parsed = parser().parse_args(own)
    parsed.first, parsed.flags = SHORT.get(first or "", first), flags
    return parsed


def main(argv: Sequence[str] | None = None) -> int:
    """Plan, run what is missing, say what failed. 0: all Records are there; 1: some failed."""
    arguments = parse(argv)
    for name in ("jobs", "threads"):
        count = getattr(arguments, name)
        if count is not None and count < 1:
            raise BadInput(f"--{name} is {count}; it must be >= 1")
    jobs = jobs_of(arguments.first, arguments.flags, arguments.code)
    if arguments.dry_run:
        print("\n".join(f"{job.key}  {job.again}" for job in jobs))
        return 0
    with claim(arguments.out, WRITES, lambda folder: bool(listed_keys(folder))) as held:
        refuse_another(held.folder, jobs)
        return _run(jobs, arguments)


def _run(jobs: Sequence[Job], arguments: argparse.Namespace) -> int:
    """Run what is missing in the folder, which is this sweep's; returns the exit code."""
    done = [job for job in jobs if _is_finished(arguments.out / job.key, job)]
    kept = {j.key for j in jobs if (arguments.out / j.key / ERROR).exists()} - {j.key for j in done}
    finished = {job.key for job in done} | (set() if arguments.retry else kept)
    missing = [job for job in jobs if job.key not in finished]
    tasks = [
        Task(
            job,
            arguments.out / job.key,
            arguments.device,
            arguments.data_root and str(Path(arguments.data_root).absolute()),
            arguments.threads,
        )
        for job in missing
    ]
    print(f"{count_of(len(jobs), 'Scenario')}: {len(done)} done, {len(missing)} to run", end="")
    print(f", {len(kept)} failed before (--retry)" if kept - {j.key for j in missing} else "")
    if tasks and arguments.executor != "ray":  # whose machines are others
        _say_cost(tasks, arguments)
    outcomes = _outcomes(tasks, arguments) if tasks else iter(())
    write_list(arguments.out, jobs)
    failures = {key: read_failure(arguments.out / key).error for key in kept & finished}
    failures |= follow(outcomes, tasks, arguments.out)
    for job in jobs:
        if job.key in failures:
            print(f"failed: {job.again}\n        {failures[job.key]}", file=sys.stderr)
    print(f"{len(jobs) - len(failures)} of {len(jobs)} Records lie in {arguments.out}")
    print(f"python -m reports.build {arguments.out} --out report")
    return 1 if failures else 0


def _outcomes(tasks: Sequence[Task], arguments: argparse.Namespace) -> Iterator[Outcome]:
    """The Tasks' Outcomes from the executor that was asked for."""
    if arguments.executor == "ray":
        return ray_cluster.run(tasks, address=arguments.address)
    if arguments.address:
        raise BadInput("--address goes with --executor ray")
    jobs = _jobs(tasks, arguments)
    if _is_here(jobs, arguments):
        return serial.run(tasks)
    return processes.run(tasks, jobs=jobs)


def _say_cost(tasks: Sequence[Task], arguments: argparse.Namespace) -> None:
    """Say about how long the Tasks take, where that is long."""
    jobs = _jobs(tasks, arguments)
    seconds, asked = seconds_of(tasks, jobs, here=_is_here(jobs, arguments))
    if seconds >= FIRST:
        told = f"by {asked} of {len(tasks)}" if asked < len(tasks) else "together"
        print(f"about {span(seconds)} on this machine, {told}", file=sys.stderr, flush=True)


def _is_here(jobs: int, arguments: argparse.Namespace) -> bool:
    """Whether the Tasks run in this process, one after another."""
    return bool(arguments.executor == "here" or (arguments.executor == "auto" and jobs == 1))


def _jobs(tasks: Sequence[Task], arguments: argparse.Namespace) -> int:
    """How many Tasks run at a time."""
    return min(arguments.jobs or _fitting(arguments), len(tasks))


def _fitting(arguments: argparse.Namespace) -> int:
    """So many at a time as there are cores for, or one on a GPU."""
    if chosen_device(arguments.device) == "cuda":
        return 1
    return max(1, int(joblib.cpu_count()) // int(arguments.threads))


def _is_finished(folder: Path, job: Job) -> bool:
    """Whether the Job's Record is there, and of the code and files that it now names."""
    record = records.read(folder)
    if record is None:
        return False
    if key_of(record.scenario) != job.key:  # nothing that it names is the user's word
        return True
    return bool(record.environment.get("origins", {}) == origins(record.scenario))
