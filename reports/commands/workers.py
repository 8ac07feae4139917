"""Processes of this machine that leave Ctrl-C to their parent and do not outlive it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

START = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def spread(
    act: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    jobs: int,
    begin: Callable[..., None],
    given: tuple[Any, ...] = (),
    doing: str,
) -> Iterator[tuple[Item, Result]]:
    """Every item with what ``act`` makes of it, as they end, ``jobs`` at a time.

    Args:
        act: importable.
        items: to be sent to the processes.
        jobs: how many processes.
        begin: called in each process with ``given`` before its first item; importable.
        given: what all items share: sent once per process.
        doing: what a process does, for the message when one dies.

    Raises:
        OSError: a process died.
    """
    pool = start_pool(jobs, begin, given)
    try:
        waiting = {submit(pool, act, item): item for item in items}
        for future in as_completed(waiting):
            yield waiting[future], future.result()
    except BrokenProcessPool as error:
        raise OSError(
            f"a process that was {doing} died (out of memory?); "
            "what is finished is kept, the same command resumes"
        ) from error
    finally:
        kill(pool)


def start_pool(
    size: int,
    begin: Callable[..., None],
    given: tuple[Any, ...] = (),
    needs: Sequence[str] = (),
) -> ProcessPoolExecutor:
    """A pool of processes that are not forked from this one, as threads and CUDA do not survive it.

    Where the system can, they are forked from a server that does nothing but import what they
    need: torch is then imported once, not once a process, and its memory is shared.

    Args:
        size: how many processes.
        begin: called in each process with ``given`` before its first item; importable.
        given: sent once per process.
        needs: modules that the processes will import, beside that of ``begin``.

    Fill it with `submit`, and end it with `kill`.
    """
    context: Any = multiprocessing.get_context(START)
    if START == "forkserver":  # it starts with the first pool, and later ones take it as it is
        context.set_forkserver_preload(["torch", begin.__module__, *needs])
    # The server's surroundings are those of its start; a process gets those of its own.
    arguments = (dict(os.environ), begin, given)
    return ProcessPoolExecutor(size, mp_context=context, initializer=_begin, initargs=arguments)


def _begin(
    surroundings: dict[str, str], begin: Callable[..., None], given: tuple[Any, ...]
) -> None:
    """What a process does first."""
    os.environ.clear()
    os.environ.update(surroundings)
    begin(*given)


def submit(pool: ProcessPoolExecutor, act: Callable[..., Result], *given: Any) -> Future[Result]:
    """``pool.submit``, in which processes are started that no Ctrl-C reaches."""
    with _hold_interrupts():
        return pool.submit(act, *given)


@contextmanager
def _hold_interrupts() -> Iterator[None]:
    """SIGINT waits, also in processes started here, which lose it in `prepare_process`.

    Without this one that is still importing would end in a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # to start it would let signals through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def prepare_process(threads: int) -> None:
    """In each new process: Ctrl-C is the parent's, and none outlives it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The parent has read the same files and said so.
    warnings.filterwarnings("ignore", message=".*: passed over ")
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
