"""Measures the peak memory of a benchmark's contender in a process of its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import torch

from victims.bench.contenders import prepare
from victims.gradients.memory import keep_memory


def measure_apart(
    name: str, model: str, batch: int, device: str, seed: int, threads: int, glibc: bool
) -> str:
    """Measure in a fresh process, which nothing before has warmed or filled."""
    # A fork server imports once, unlike spawn, and every optimizer needs dynamo.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["victims.bench.contenders", "opacus", "torch._dynamo"])
    with context.Pool(1) as pool:
        return pool.apply(measure, (name, model, batch, device, seed, threads, glibc))


def measure_here(step: Callable[[], None]) -> str:
    """The MB that a step needs on the GPU at its highest above what was allocated before it."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    step()
    torch.cuda.synchronize()
    return f"{(torch.cuda.max_memory_allocated() - before) / 1e6:.0f}"


def measure(
    name: str, model: str, batch: int, device: str, seed: int, threads: int, glibc: bool
) -> str:
    """The MB that two steps need at their highest above what was in use before them."""
    if not glibc:
        keep_memory()
    torch.set_num_threads(threads)
    try:
        step = prepare(name, model, batch, device, seed)
        before = start_peak()
        step()
        step()
        after = resident("VmHWM")
    except OSError as error:
        return f"not measured: {error}"
    except Exception:  # the column of times says it
        return "-"
    return f"{(after - before) / 1e6:.0f}"


def start_peak() -> int:
    """The bytes that this process uses now, from where on Linux keeps the highest anew."""
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    return before


def resident(field: str) -> int:
    """The bytes of a field of Linux's account of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return 1024 * int(line.split()[1])
    raise OSError(f"no {field} in /proc/self/status")
