"""``python -m victims.bench``: what a step of DP training costs, on the machine it runs on.

Every contender does the whole step: forward, backward, norms, clipping, sum, noise, SGD. Times
are ratios to plain SGD within the same round, so the machine and its other work cancel.
"""

from __future__ import annotations

import argparse
import copy
import multiprocessing
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import defenses
from attacks.flags import Parser, command
from defenses import BadInput
from reports.environment import environment
from victims.gradients import gradient_chunks
from victims.models import load_model
from victims.taps import factorable

PROG = "python -m victims.bench"
Step = Callable[[], None]

RATE, CLIP, SIGMA = 0.1, 1.0, 1.0
"""Learning rate, clipping norm and noise multiplier of every contender."""

OURS = {"ours dpsgd": ("dpsgd", {}), "ours dprs 0.9": ("dprs", {"rate": 0.9})}
OPACUS = {"Opacus hooks": "hooks", "Opacus functorch": "functorch", "Opacus ghost": "ghost"}
PLAIN = "plain SGD"
NAMES = (PLAIN, *OURS, *OPACUS)
"""Contenders on any device."""

CUDA_ONLY = tuple(f"{n}, {how}" for n in (PLAIN, *OURS) for how in ("channels-last", "compiled"))


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the benchmark."""
    parser = Parser(prog=PROG, description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--models", nargs="+", default=["dpcnn", "wrn-16-4"], help="default dpcnn wrn-16-4")
    add("--batch", type=int, default=256, help="images of 3x32x32 per step (default 256)")
    add("--repeats", type=int, default=7, help="rounds over all contenders (default 7)")
    add("--threads", type=int, help="of torch (default: as many as it takes)")
    add("--seed", type=int, default=0)
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")
    arguments = parser.parse_args(argv)
    for flag in ("batch", "repeats", "threads"):
        if (getattr(arguments, flag) or 1) < 1 or getattr(arguments, flag) == 0:
            raise BadInput(f"--{flag} must be at least 1")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table in Markdown. Returns the exit code."""
    arguments = parse(argv)
    device = arguments.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    before = torch.get_num_threads()
    torch.set_num_threads(arguments.threads or before)
    try:
        with warnings.catch_warnings():
            _print(arguments, device)
    finally:
        torch.set_num_threads(before)
    return 0


def _print(arguments: argparse.Namespace, device: str) -> None:
    facts = environment(seed=arguments.seed, device=device)
    versions = facts["versions"]
    print(
        f"one step of batch {arguments.batch}, 3x32x32 images, float32; time over plain SGD: "
        f"median (min-max) of {arguments.repeats} interleaved rounds; peak memory above that "
        "before the step, each in its own process"
    )
    print(
        f"seed {arguments.seed}; {facts['machine']}, {facts['threads']} threads; "
        f"torch {versions['torch']}, opacus {versions['opacus']}; {facts['date'][:10]}\n"
    )
    print("| model | contender | time / plain SGD | s/step | peak memory MB |")
    print("|---|---|---|---|---|")
    names = NAMES + (CUDA_ONLY if device == "cuda" else ())
    for model in arguments.models:
        memory = {n: _memory_apart(n, model, arguments, device) for n in names}
        times = _race(names, model, arguments, device)
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
            print(f"| {model} | {name} | {cells} | {memory[name]} |", flush=True)


def _race(
    names: Sequence[str], model: str, arguments: argparse.Namespace, device: str
) -> dict[str, list[float] | str]:
    """Seconds of each round by contender, or why it cannot run."""
    steps: dict[str, Step] = {}
    times: dict[str, list[float] | str] = {}
    for name in names:
        try:
            step = prepare(name, model, arguments.batch, device, arguments.seed)
            step()  # warm
        except BadInput:
            raise
        except Exception as error:  # a library's own refusal is a result
            times[name] = _why(error)
        else:
            steps[name] = step
    spent: dict[str, list[float]] = {n: [] for n in steps}
    for _ in range(arguments.repeats):
        for name, step in steps.items():
            began = _now(device)
            step()
            spent[name].append(_now(device) - began)
    return times | spent


def _now(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def _why(error: Exception) -> str:
    said = " ".join(str(error).split()).replace("|", "/")
    return f"cannot: {type(error).__name__}: {said[:120]}"


def _memory_apart(name: str, model: str, arguments: argparse.Namespace, device: str) -> str:
    """`_memory` in a fresh process, which nothing before has warmed or filled."""
    context = multiprocessing.get_context(
        "forkserver"
    )  # imports once, unlike spawn; every optimizer needs dynamo
    context.set_forkserver_preload(["victims.bench", "opacus", "torch._dynamo"])
    with context.Pool(1) as pool:
        threads = torch.get_num_threads()
        return pool.apply(_memory, (name, model, arguments.batch, device, arguments.seed, threads))


def _memory(name: str, model: str, batch: int, device: str, seed: int, threads: int) -> str:
    """MB that two steps need at their highest above what was in use before them."""
    torch.set_num_threads(threads)
    try:
        step = prepare(name, model, batch, device, seed)
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
        else:
            before = _resident("VmRSS")
            Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
        step()
        step()
        after = torch.cuda.max_memory_allocated() if device == "cuda" else _resident("VmHWM")
    except OSError as error:
        return f"not measured: {error}"
    except Exception:  # told in the column of times
        return "-"
    return f"{(after - before) / 1e6:.0f}"


def _resident(field: str) -> int:
    """Bytes, from Linux's account of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return 1024 * int(line.split()[1])
    raise OSError(f"no {field} in /proc/self/status")


def prepare(name: str, model: str, batch: int, device: str, seed: int) -> Step:
    """One contender's step on its own copy of the model, with the same images for all.

    Args:
        name: of `NAMES` or `CUDA_ONLY`.
        model: see `victims.load_model`; CIFAR's shape, 10 classes.
        batch: images per step.
        device: cpu or cuda.
        seed: of weights, images, labels and noise.

    Raises:
        Exception: whatever Opacus or the compiler say of a model they cannot take.
    """
    draw = torch.Generator().manual_seed(seed)
    net = load_model(model, generator=draw).to(device).train()
    images = torch.rand(batch, 3, 32, 32, generator=draw).to(device)
    labels = torch.randint(10, (batch,), generator=draw).to(device)
    base, _, how = name.partition(", ")
    if how == "channels-last":
        net = net.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    if base in OPACUS:
        return _opacus(net, OPACUS[base], images, labels)
    run: Any = torch.compile if how == "compiled" else _as_it_is
    if base == PLAIN:
        return _plain(run(net), images, labels)
    defense, options = OURS[base]
    return _ours(net, run, defense, options, images, labels, draw)


def _as_it_is(what: Any) -> Any:
    return what


def _plain(net: nn.Module, images: Tensor, labels: Tensor) -> Step:
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE)

    def step() -> None:
        cross_entropy(net(images), labels).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def _ours(
    net: nn.Module,
    run: Any,
    name: str,
    options: dict[str, Any],
    images: Tensor,
    labels: Tensor,
    draw: torch.Generator,
) -> Step:
    defense = defenses.get(name, clip=CLIP, noise_multiplier=SIGMA, **options)
    assert isinstance(defense, defenses.Summed)
    parameters = dict(net.named_parameters())
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE)
    outer = factorable(net, cross_entropy, images, labels)
    contribute = run(defense.contribute)

    def step() -> None:
        plan = defense.plan(parameters, step=0, steps=1, generator=draw)
        total: dict[str, Tensor] = {}
        for grads in gradient_chunks(net, cross_entropy, images, labels, outer=outer):
            for key, value in contribute(grads, plan).items():
                total[key] = total[key].add_(value) if key in total else value
        release = defense.finish(total, plan, batch_size=len(images), generator=draw)
        for key, parameter in parameters.items():
            parameter.grad = release.update[key]
        optimizer.step()
        optimizer.zero_grad()

    return step


def _opacus(net: nn.Module, mode: str, images: Tensor, labels: Tensor) -> Step:
    from opacus.grad_sample.utils import wrap_model
    from opacus.optimizers import DPOptimizer, DPOptimizerFastGradientClipping
    from opacus.utils.fast_gradient_clipping_utils import DPLossFastGradientClipping

    warnings.filterwarnings("ignore", "Full backward hook is firing")  # Opacus means it so
    clipping = {"max_grad_norm": CLIP} if mode == "ghost" else {}
    # Not strict: it refuses buffers, and the constants of `Normalise` are harmless ones.
    wrapped = wrap_model(copy.deepcopy(net), mode, strict=False, **clipping)
    optimizer: Any = (DPOptimizerFastGradientClipping if mode == "ghost" else DPOptimizer)(
        torch.optim.SGD(wrapped.parameters(), lr=RATE),
        noise_multiplier=SIGMA,
        max_grad_norm=CLIP,
        expected_batch_size=len(images),
    )
    loss: Any = nn.CrossEntropyLoss()
    if mode == "ghost":
        loss = DPLossFastGradientClipping(wrapped, optimizer, loss)

    def step() -> None:
        loss(wrapped(images), labels).backward()
        optimizer.step()
        optimizer.zero_grad()  # last, for per-example gradients would weigh on the next contender

    return step


if __name__ == "__main__":
    sys.path.insert(0, "")
    command(main, PROG)
