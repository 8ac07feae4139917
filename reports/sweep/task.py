"""One Scenario of a sweep, run to its Record or to its error, wherever that may be."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from defenses import BadInput
from defenses.errors import one_line
from reports import records
from reports.records.failure import ERROR, Failure
from reports.records.kinds import check_written
from reports.sweep.combine import Job, command_module


@dataclass(frozen=True)
class Task:
    """A Job and where it is run.

    Attributes:
        job: what.
        folder: of its Record; pieces of an earlier try in it are used.
        device: ``auto``, ``cpu`` or ``cuda``, of the machine that runs it.
        data_root: where sets lie; None: the default.
        threads: of the computation. Sums depend on it, so equal Records need equal threads.
    """

    job: Job
    folder: Path
    device: str = "cpu"
    data_root: str | None = None
    threads: int = 1


@dataclass(frozen=True)
class Outcome:
    """How a Task ended.

    Attributes:
        key: of its Scenario.
        seconds: it took.
        error: one line; None when its Record is written.
    """

    key: str
    seconds: float
    error: str | None = None


def run_task(task: Task) -> Outcome:
    """Run a Task and write its Record, or what went wrong to ``error.json``, into its folder."""
    from reports.commands.flags import chosen_device

    began = time.monotonic()
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(task.threads)
        with threadpool_limits(task.threads):
            module = command_module(task.job.command)
            scenario = module.scenario(module.parse(task.job.argv))
            record = module.run(
                scenario,
                out=task.folder,
                device=chosen_device(task.device),
                data_root=task.data_root,
            )
            records.write(check_written(record), task.folder)
    except (Exception, SystemExit) as error:
        return keep_error(task, error, time.monotonic() - began)
    finally:
        torch.set_num_threads(before)
    (task.folder / ERROR).unlink(missing_ok=True)
    return Outcome(task.job.key, time.monotonic() - began)


def keep_error(task: Task, error: BaseException, seconds: float) -> Outcome:
    """Keep an error beside where the Record would be."""
    text = one_line(error)
    line = text if isinstance(error, BadInput) else f"{type(error).__name__}: {text}"
    trace = "".join(traceback.format_exception(error))
    Failure(task.folder, task.job.scenario, task.job.again, line, trace).write()
    return Outcome(task.job.key, seconds, line)
