"""A sweep in processes: equal Records, and no process that outlives it."""

from __future__ import annotations

import os
import signal
import time

from reports.sweep import processes
from reports.sweep.task import Outcome, Task, run_task
from tests.reports.sweep.crossed import canonical, tasks


def test_processes_make_the_same_records_byte_for_byte(tmp_path, expected):
    outcomes = list(processes.run(tasks(tmp_path), jobs=2))
    assert {o.key for o in outcomes} == set(expected)
    assert canonical(tmp_path) == expected


def dying(task: Task) -> Outcome:
    """What a process killed for memory looks like from outside: noise 0.1 once, 0.2 always."""
    mark = task.folder.parent / f"died-{task.job.key}"
    if "0.2" in task.job.again or ("0.1" in task.job.again and not mark.exists()):
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return Outcome(task.job.key, 0.0)


def test_a_process_that_dies_costs_at_most_its_own_scenario(tmp_path):
    grid = tasks(tmp_path, **{"--noise-multiplier": ["0.1", "0.2", "0.3"]})
    outcomes = {o.key: o for o in processes.run(grid, jobs=2, work=dying)}
    once, always, never = (outcomes[task.job.key] for task in grid)
    assert once.error is never.error is None
    assert "abruptly" in always.error
    assert (tmp_path / always.key / "error.json").exists()


def slow(task: Task) -> Outcome:
    time.sleep(1.0)
    return run_task(task)


def test_abandoning_a_pool_ends_its_processes(tmp_path):
    running = processes.run(tasks(tmp_path), jobs=1, work=slow)
    next(running)
    running.close()
    time.sleep(2.0)
    assert len(list(tmp_path.glob("*/result.json"))) == 1
