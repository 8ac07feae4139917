"""Measures a size in a process of its own, which nothing before has warmed or filled."""

from __future__ import annotations

import contextlib
import io

from leakgauge.growth.axes import AXES
from leakgauge.growth.curve import Point
from reports.commands.clock import seconds_of_call
from reports.commands.workers import kill, prepare_process, start_pool, submit
from victims.bench.peak_memory import resident, start_peak
from victims.gradients.memory import keep_memory, release_memory

LONG = 20.0
"""Seconds of a first call from which it counts itself; a shorter one only warms up."""


def measure_apart(axis: str, size: int, *, floor: bool, repeats: int, seed: int) -> Point:
    """Measure one size of an axis in a fresh process.

    Args:
        axis: of `AXES`.
        size: how much there is of what grows.
        floor: whether the floor is measured.
        repeats: how often it is timed, unless once takes longer than `LONG`.
        seed: the seed of everything random.
    """
    pool = start_pool(1, _begin)
    try:
        point = submit(pool, _measure, axis, size, floor, repeats, seed).result()
        pool.shutdown()
        return point
    finally:
        kill(pool)


def _begin() -> None:
    """Set up the process: one thread, and memory kept as the commands keep it."""
    prepare_process(1)
    keep_memory()


def _measure(axis: str, size: int, floor: bool, repeats: int, seed: int) -> Point:
    import torch

    torch.set_num_threads(1)
    own = AXES[axis]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        act = (own.prepare_floor if floor else own.prepare)(size, seed)
        release_memory()
        before = _start_peak()
        spent = [seconds_of_call(act)]
        if spent[0] < LONG:
            spent = [seconds_of_call(act) for _ in range(repeats)]
        peak = None if before is None else round((resident("VmHWM") - before) / 1e6, 1)
    return Point(size, tuple(spent), peak)


def _start_peak() -> int | None:
    """Bytes in use now, from where on the highest is kept; None where the system does not tell."""
    try:
        return start_peak()
    except OSError:
        return None
