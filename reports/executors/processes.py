"""The Scenarios in processes of this machine, a killed one costing no more than its Scenario."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from reports.executors.task import Outcome, Task, failed, perform

TRIES = 2
"""A Scenario in flight this many times when a process died is called failed."""
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def run(
    tasks: Sequence[Task], *, jobs: int, work: Callable[[Task], Outcome] = perform
) -> Iterator[Outcome]:
    """Yield an Outcome as each Task ends, ``jobs`` of them at a time.

    Processes are spawned, not forked: torch's threads and CUDA do not survive a fork. One that
    dies (out of memory, say) breaks the pool; what was in flight is tried again in a new one.
    ``work`` is what a process does with a Task.
    """
    waiting = list(tasks)
    strikes: Counter[str] = Counter()
    while waiting:
        ended: set[str] = set()
        # After a death one at a time, so that the next one names its Scenario.
        size = 1 if strikes else min(jobs, len(waiting))
        pool = _pool(size, waiting[0].threads)
        try:
            in_flight: dict[Future[Outcome], Task] = {}
            queue = iter(waiting)
            for task in queue:
                in_flight[pool.submit(work, task)] = task
                if len(in_flight) < size:
                    continue
                for outcome in _finished(in_flight):
                    ended.add(outcome.key)
                    yield outcome
            while in_flight:
                for outcome in _finished(in_flight):
                    ended.add(outcome.key)
                    yield outcome
        except BrokenProcessPool as error:
            for task in in_flight.values():
                strikes[task.job.key] += 1
                if strikes[task.job.key] >= TRIES:
                    ended.add(task.job.key)
                    yield failed(task, error, 0.0)
        finally:
            kill(pool)
        waiting = [t for t in waiting if t.job.key not in ended]


def _finished(in_flight: dict[Future[Outcome], Task]) -> Iterator[Outcome]:
    """Wait for one or more; a dead process raises and leaves its Task in flight."""
    done, _ = wait(in_flight, return_when=FIRST_COMPLETED)
    for future in sorted(done, key=lambda f: f.exception() is not None):
        outcome = future.result()
        del in_flight[future]
        yield outcome


def _pool(size: int, threads: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        size,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=prepare_process,
        initargs=(threads,),
    )


def prepare_process(threads: int) -> None:
    """In each new process: Ctrl-C is the parent's, and none outlives it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in THREAD_VARIABLES:  # for libraries that are loaded later
        os.environ[name] = str(threads)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def kill(pool: ProcessPoolExecutor) -> None:
    """End the pool without waiting for what runs in it; pieces on disk are whole."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.kill()
    for process in processes:
        process.join()
