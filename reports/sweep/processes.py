"""The Scenarios in processes of this machine; a killed one costs no more than its Scenario."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool

from reports.commands.workers import kill, prepare_process, start_pool, submit
from reports.sweep.combine import COMMANDS
from reports.sweep.task import Outcome, Task, keep_error, run_task

TRIES = 2
"""A Scenario in flight this many times when a process died is called failed."""


def run(
    tasks: Sequence[Task], *, jobs: int, work: Callable[[Task], Outcome] = run_task
) -> Iterator[Outcome]:
    """Yield an Outcome as each Task ends, ``jobs`` of them at a time.

    A process that dies (out of memory, say) breaks the pool; what was in flight is tried again in
    a new one.
    ``work`` is what a process does with a Task.
    """
    waiting = list(tasks)
    strikes: Counter[str] = Counter()
    while waiting:
        ended: set[str] = set()
        # After a death one at a time, so that the next one names its Scenario.
        size = 1 if strikes else min(jobs, len(waiting))
        needs = sorted({COMMANDS[task.job.command] for task in waiting})
        pool = start_pool(size, prepare_process, (waiting[0].threads,), needs)
        try:
            in_flight: dict[Future[Outcome], Task] = {}
            queue = iter(waiting)
            for task in queue:
                in_flight[submit(pool, work, task)] = task
                if len(in_flight) < size:
                    continue
                for outcome in _wait_for_some(in_flight):
                    ended.add(outcome.key)
                    yield outcome
            while in_flight:
                for outcome in _wait_for_some(in_flight):
                    ended.add(outcome.key)
                    yield outcome
        except BrokenProcessPool as error:
            for task in in_flight.values():
                strikes[task.job.key] += 1
                if strikes[task.job.key] >= TRIES:
                    ended.add(task.job.key)
                    yield keep_error(task, error, 0.0)
        finally:
            kill(pool)
        waiting = [t for t in waiting if t.job.key not in ended]


def _wait_for_some(in_flight: dict[Future[Outcome], Task]) -> Iterator[Outcome]:
    """Wait for one or more; a dead process raises and leaves its Task in flight."""
    done, _ = wait(in_flight, return_when=FIRST_COMPLETED)
    for future in sorted(done, key=lambda f: f.exception() is not None):
        outcome = future.result()
        del in_flight[future]
        yield outcome
