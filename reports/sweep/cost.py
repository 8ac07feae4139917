"""How long a sweep is going to take on this machine, by what a few of its Scenarios expect."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool

import torch

from reports.commands.flags import chosen_device
from reports.commands.workers import kill, prepare_process, start_pool, submit
from reports.sweep.combine import COMMANDS, command_module
from reports.sweep.task import Task

FEW = 3
"""Scenarios that are asked, from the first to the last."""

WORK = 4
"""Pieces after which a Scenario that has said nothing is at work."""


class _Said(Exception):
    """Leaves a Scenario that has said what it expects, or that has begun to work without a word."""


class _Listener:
    """A `reports.commands.progress.Report` that hears what a Scenario expects, and ends it there.

    Attributes:
        seconds: that it expects, None while it has said nothing.
    """

    def __init__(self) -> None:
        self.seconds: float | None = None

    def __call__(self, line: str, done: int, total: int) -> None:
        """Go on until it has begun to work; an audit does a few steps to learn what they take."""
        if done > WORK:
            raise _Said

    def expect(self, seconds: float) -> None:
        """Keep it; what is there already, features say, takes 0 seconds and is not the work."""
        self.seconds = seconds
        if seconds > 0:
            raise _Said


def seconds_of(tasks: Sequence[Task], jobs: int, *, here: bool) -> tuple[float, int]:
    """About how many seconds Tasks take, and how many of them said so.

    Of each of a few the work begins, in its own folder, so that its finished pieces count, and
    ends before anything is done. One that fails here fails again when it is its turn.

    Args:
        tasks: that are to run.
        jobs: how many at a time.
        here: whether they run in this process, and may be begun in it.
    """
    count = len(tasks)
    asked = [tasks[i] for i in sorted({k * (count - 1) // (FEW - 1) for k in range(FEW)})]
    told = [expected(task) for task in asked] if here else _apart(asked)
    said = [seconds for seconds in told if seconds is not None]
    return (count * sum(said) / len(said) / jobs if said else 0.0), len(said)


def _apart(tasks: Sequence[Task]) -> list[float | None]:
    """What Tasks expect, asked in a process of its own: one that dies takes nobody with it."""
    needs = sorted({COMMANDS[task.job.command] for task in tasks})
    pool = start_pool(1, prepare_process, (tasks[0].threads,), needs)
    try:
        return [submit(pool, expected, task).result() for task in tasks]
    except BrokenProcessPool:
        return []
    finally:
        kill(pool)


def expected(task: Task) -> float | None:
    """Seconds that a Task expects; None where it says nothing, or cannot be run."""
    listener, before = _Listener(), torch.get_num_threads()
    try:
        torch.set_num_threads(task.threads)
        module = command_module(task.job.command)
        module.run(
            module.scenario(module.parse(task.job.argv)),
            out=task.folder,
            device=chosen_device(task.device),
            data_root=task.data_root,
            report=listener,
        )
    except (Exception, SystemExit):
        return listener.seconds
    finally:
        torch.set_num_threads(before)
    return listener.seconds
