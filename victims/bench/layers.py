"""``python -m victims.bench.layers``: what each way of a private step costs, layer by layer.

Which way a convolution takes follows from its shape, never from a clock: the sums of two ways
differ in their last bits, and one seed is to give one Record. This command measures all ways on
the machine at hand, and marks the one that is taken.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterator, Sequence

import torch
from torch.nn.functional import cross_entropy

from defenses import BadInput, stream
from defenses.gradients import random_mask
from reports.commands.clock import now
from reports.commands.entry import run_command
from reports.commands.flags import DEVICE, DEVICES, Parser, chosen_device
from reports.records.environment import environment, environment_line
from victims.gradients.convolution_gradient import ConvolutionGradient
from victims.gradients.memory import keep_memory
from victims.gradients.one_pass import one_pass
from victims.gradients.per_example import frozen_parameters, trainable_parameters
from victims.gradients.ways import GRAM, WAYS
from victims.models import load_model

PROG = "python -m victims.bench.layers"


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the benchmark."""
    parser = Parser(prog=PROG, description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--models", nargs="+", default=["dpcnn", "wrn-16-4"], help="default dpcnn wrn-16-4")
    add("--batch", type=int, default=16, help="images of 3x32x32 (default 16)")
    add("--rate", type=float, default=0.9, help="share that the mask drops (default 0.9)")
    add("--repeats", type=int, default=5, help="rounds over all ways (default 5)")
    add("--seed", type=int, default=0)
    add("--device", choices=DEVICES, default="auto", help=DEVICE)
    arguments = parser.parse_args(argv)
    for flag in ("batch", "repeats"):
        if getattr(arguments, flag) < 1:
            raise BadInput(f"--{flag} must be at least 1")
    if not 0 <= arguments.rate < 1:
        raise BadInput(f"--rate is {arguments.rate:g}; it must be in [0, 1)")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table in Markdown. Returns the exit code."""
    arguments = parse(argv)
    device = chosen_device(arguments.device)
    keep_memory()
    facts = environment(seed=arguments.seed, device=device)
    print(
        f"norms and sum of the gradients of {arguments.batch} images in one layer, ms: median of "
        f"{arguments.repeats} interleaved rounds, * the way that is taken; mask: drops "
        f"{arguments.rate:g}\n{environment_line(facts)}\n"
    )
    names = [*WAYS, GRAM]
    print(f"| model | layer | weight | pixels | mask | {' | '.join(names)} |")
    print("|---" * (5 + len(names)) + "|")
    for model in arguments.models:
        for name, layer in _layers(model, arguments, device):
            times = _times(layer, names, arguments.repeats, device)
            cells = [
                f"{1e3 * times[way]:.3g}{' *' if way == layer.way else ''}" if way in times else "-"
                for way in names
            ]
            size, pixels = "x".join(map(str, layer.shape)), layer.slope.shape[2:].numel()
            masked = "yes" if layer.mask is not None else "no"
            row = (model, name, size, str(pixels), masked, *cells)
            print(f"| {' | '.join(row)} |", flush=True)
    return 0


def _layers(
    model: str, arguments: argparse.Namespace, device: str
) -> Iterator[tuple[str, ConvolutionGradient]]:
    """The convolutions of a model after one pass, each without and with a mask."""
    draw = stream(arguments.seed, "bench")
    net = load_model(model, generator=draw).to(device).train()
    images = torch.rand(arguments.batch, 3, 32, 32, generator=draw).to(device)
    labels = torch.randint(10, (arguments.batch,), generator=draw).to(device)
    weights = trainable_parameters(net)
    found = one_pass(net, cross_entropy, weights, frozen_parameters(net), images, labels)
    if found is None:
        raise BadInput(f"model {model!r} takes no single pass")
    mask = random_mask(weights, arguments.rate, draw)
    for name, layer in found.items():
        if isinstance(layer, ConvolutionGradient):
            yield name, layer
            yield name, layer.apply_mask(mask[name])


def _times(
    layer: ConvolutionGradient, names: Sequence[str], repeats: int, device: str
) -> dict[str, float]:
    """The median seconds of each way that the layer could take."""
    ways = [w for w in names if w != GRAM or (layer.mask is None and layer.geometry.groups == 1)]
    factors = torch.ones(len(layer), device=layer.slope.device)
    spent: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(1 + repeats):
        for way in ways:
            fresh = layer.taking(way)
            began = now(device)
            fresh.squared_norms()
            fresh.weighted_sum(factors)
            if turn:  # the first round is warm-up
                spent[way].append(now(device) - began)
    return {way: statistics.median(times) for way, times in spent.items()}


if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
