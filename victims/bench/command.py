"""``python -m victims.bench``: what a step of DP training costs, on the machine it runs on.

Every contender does the whole step: forward, backward, norms, clipping, sum, noise, SGD. Times
are ratios to plain SGD within the same round, so the machine and its other work cancel.
"""

from __future__ import annotations

import argparse
import statistics
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch

from defenses import BadInput
from defenses.errors import one_line
from reports.commands.clock import now
from reports.commands.flags import DEVICE, DEVICES, Parser, chosen_device
from reports.commands.measured import Measured
from reports.records.environment import environment, environment_line
from victims.bench import peak_memory
from victims.bench.contenders import CUDA_ONLY, NAMES, PLAIN, Step, prepare
from victims.gradients.memory import keep_memory

PROG = "python -m victims.bench"


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the benchmark."""
    parser = Parser(prog=PROG, description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--models", nargs="+", default=["dpcnn", "wrn-16-4"], help="default dpcnn wrn-16-4")
    add("--batch", type=int, default=256, help="images of 3x32x32 per step (default 256)")
    add("--repeats", type=int, default=7, help="rounds over all contenders (default 7)")
    add("--threads", type=int, help="of torch (default: as many as it takes)")
    add("--contenders", nargs="+", metavar="NAME", help="some of them (default: all)")
    add("--json", type=Path, metavar="FILE", help="also write the rows there, each when it is had")
    add("--glibc", action="store_true", help="leave freed memory to glibc, as libraries do")
    add("--seed", type=int, default=0, help="of everything random (default 0)")
    add("--device", choices=DEVICES, default="auto", help=DEVICE)
    arguments = parser.parse_args(argv)
    for flag in ("batch", "repeats", "threads"):
        if (getattr(arguments, flag) or 1) < 1 or getattr(arguments, flag) == 0:
            raise BadInput(f"--{flag} must be at least 1")
    unknown = set(arguments.contenders or ()) - {*NAMES, *CUDA_ONLY}
    if unknown:
        known = ", ".join(repr(n) for n in (*NAMES, *CUDA_ONLY))
        raise BadInput(f"unknown contender {min(unknown)!r}; known: {known}")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table in Markdown. Returns the exit code."""
    arguments = parse(argv)
    device = chosen_device(arguments.device)
    if not arguments.glibc:
        keep_memory()
    before = torch.get_num_threads()
    torch.set_num_threads(arguments.threads or before)
    try:
        with warnings.catch_warnings():
            _print(arguments, device)
    finally:
        torch.set_num_threads(before)
    return 0


def _print(arguments: argparse.Namespace, device: str) -> None:
    """Measure, and print row after row."""
    facts = environment(seed=arguments.seed, device=device)
    print(
        f"one step of batch {arguments.batch}, 3x32x32 images, float32; time over plain SGD: "
        f"median (min-max) of {arguments.repeats} interleaved rounds; peak memory above that "
        "before the step"
        + (
            ", as the allocator of the GPU counts it"
            if device == "cuda"
            else ", each in its own process; freed memory "
            + ("left to glibc" if arguments.glibc else "kept")
        )
    )
    print(f"{environment_line(facts, ('torch', 'opacus'))}\n")
    print("| model | contender | time / plain SGD | s/step | peak memory MB |")
    print("|---|---|---|---|---|")
    kept = Measured(arguments.json, {"command": PROG, "batch": arguments.batch, **facts})
    names = NAMES + (CUDA_ONLY if device == "cuda" else ())
    names = tuple(n for n in names if n in (PLAIN, *(arguments.contenders or names)))
    for model in arguments.models:
        times, memory = _times(names, model, arguments, device)
        if device != "cuda":
            memory = {n: _memory(n, model, arguments, device) for n in names}
        plain = times[PLAIN]
        assert not isinstance(plain, str), plain
        for name in names:
            spent = times[name]
            if isinstance(spent, str):
                cells = f"{spent} | -"
            else:
                ratios = [a / b for a, b in zip(spent, plain, strict=True)]
                cells = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
                cells += f" | {statistics.median(spent):.3g}"
            print(f"| {model} | {name} | {cells} | {memory.get(name, '-')} |", flush=True)
            seconds = {"cannot": spent} if isinstance(spent, str) else {"seconds": spent}
            kept.add(model=model, contender=name, peak_mb=memory.get(name, "-"), **seconds)


def _times(
    names: Sequence[str], model: str, arguments: argparse.Namespace, device: str
) -> tuple[dict[str, list[float] | str], dict[str, str]]:
    """By contender the seconds of each round, or why it cannot run, and a GPU's peak memory."""
    steps: dict[str, Step] = {}
    memory: dict[str, str] = {}
    times: dict[str, list[float] | str] = {}
    for name in names:
        try:
            step = prepare(name, model, arguments.batch, device, arguments.seed)
            step()  # warm: a compiler, a cache, cuDNN's choice of kernels
            step()
            if device == "cuda":
                memory[name] = peak_memory.measure_here(step)
        except BadInput:
            raise
        except Exception as error:  # a library's own refusal is a result
            times[name] = _why(error)
        else:
            steps[name] = step
    spent: dict[str, list[float]] = {n: [] for n in steps}
    for _ in range(arguments.repeats):
        for name, step in steps.items():
            began = now(device)
            step()
            spent[name].append(now(device) - began)
    return times | spent, memory


def _memory(name: str, model: str, arguments: argparse.Namespace, device: str) -> str:
    """The peak memory of a contender, as the table has it."""
    threads = torch.get_num_threads()
    setting = (arguments.batch, device, arguments.seed, threads, arguments.glibc)
    return peak_memory.measure_apart(name, model, *setting)


def _why(error: Exception) -> str:
    """Why a contender cannot run, as the table has it."""
    said = one_line(error).replace("|", "/")
    return f"cannot: {type(error).__name__}: {said[:120]}"
