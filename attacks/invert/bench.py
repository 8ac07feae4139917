"""``python -m attacks.invert.bench``: what the inversions reach and cost on this machine."""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

import victims
from attacks.invert.contract import Threat, registry
from attacks.invert.matching.objective import residual
from attacks.invert.scenario import Scenario
from attacks.invert.study import study
from defenses import BadInput, get, stream
from defenses.errors import one_line
from reports.commands.clock import seconds_of_call
from reports.commands.entry import run_command
from reports.commands.flags import DATA_ROOT, DEVICE, DEVICES, Parser, chosen_device
from reports.commands.measured import Measured
from reports.records.environment import environment, environment_line
from reports.records.inversion import is_cut_short, psnr_of, rows_of

PROG = "python -m attacks.invert.bench"
MASKED = {"noise_multiplier": 0.0, "cooling": False}
"""One round, at the rate as given."""
MODELS = ("linear", "mlp", "lenet", "convnet", "resnet20-4")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the benchmark."""
    parser = Parser(prog=PROG, description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--data", default="cifar10", help="see attacks.invert (default cifar10)")
    add("--data-root", help=DATA_ROOT)
    add("--images", type=int, default=8, help="private images (default 8)")
    add("--models", nargs="+", default=["linear", "mlp", "lenet"], help=f"of {', '.join(MODELS)}")
    add("--size", type=int, help="image edge, for data that can be scaled")
    add("--attacks", nargs="+", default=["auto"], help="see attacks.invert (default auto)")
    add("--json", type=Path, metavar="FILE", help="also write the rows there, each when it is had")
    add("--device", choices=DEVICES, default="auto", help=DEVICE)
    add("--evaluations", type=int, help="gradients per image (default: the attack's own)")
    add("--budget", type=float, help="a guard in seconds per image; see attacks.invert")
    add("--iterations", type=int, default=400, help="of attacks that take steps (default 400)")
    add("--masked", action="store_true", help="also dprs at 0.9 without noise, both columns")
    add("--seed", type=int, default=0, help="of everything random (default 0)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table in Markdown. Returns the exit code."""
    arguments = parse(argv)
    device = chosen_device(arguments.device)
    facts = environment(seed=arguments.seed, device=device)
    kept = Measured(arguments.json, {"command": PROG, "data": arguments.data, **facts})
    print(
        f"{arguments.data}, images 0..{arguments.images - 1} after the seeded shuffle, batch 1, "
        f"labels unknown, untrained, {limits(arguments)}"
    )
    print(f"{environment_line(facts)}\n")
    print(
        "| model | attack | defense | attacker | median PSNR dB | mean | min-max "
        "| median s/image | iteration / (forward + backward) | peak MB |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for model in arguments.models:
        try:
            cost = f"{iteration_cost(model, arguments, device):.1f}"
        except torch.OutOfMemoryError as error:
            cost = f"cannot: {one_line(error)[:60]}"
        pairs = (("none", "adaptive"), ("dprs", "both"))[: 1 + arguments.masked]
        for attack, (defense, columns) in product(arguments.attacks, pairs):
            fields = registry.find(attack).__dataclass_fields__
            steps = {"iterations": arguments.iterations} if "iterations" in fields else {}
            scenario = Scenario(
                data=arguments.data,
                images=arguments.images,
                size=arguments.size,
                model=model,
                defense=defense,
                defense_options=MASKED if defense == "dprs" else {},
                against=(),
                attack=attack,
                columns=columns,
                evaluations=arguments.evaluations,
                budget=arguments.budget,
                attack_options=steps,
                seed=arguments.seed,
            )
            row = {"model": model, "attack": attack, "defense": defense, "iteration_cost": cost}
            _measure(scenario, row, arguments.data_root, device, kept)
    return 0


def _measure(
    scenario: Scenario, row: dict[str, Any], data_root: str | None, device: str, kept: Measured
) -> None:
    """Run a Scenario; print a line for each of its columns."""
    lead = f"| {row['model']} | {row['attack']} | {row['defense']} |"
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    try:
        record = study(scenario, data_root=data_root, device=device)
    except (BadInput, torch.OutOfMemoryError) as error:
        said = one_line(error).replace("|", "/")[:100]
        print(f"{lead} cannot: {said} |" + " - |" * 6, flush=True)
        kept.add(**row, cannot=said)
        return
    peak = torch.cuda.max_memory_allocated() / 1e6 if device == "cuda" else None
    for column, rows in rows_of(record).items():
        values, spent = [psnr_of(r) for r in rows], [r["seconds"] for r in rows]
        cut = "*" if is_cut_short(rows) else ""
        kept.add(**row, attacker=column.attacker, psnr=values, seconds=spent, peak_mb=peak)
        print(
            f"{lead} {column.attacker} | {statistics.median(values):.1f} "
            f"| {statistics.mean(values):.1f} | {min(values):.1f}-{max(values):.1f} "
            f"| {statistics.median(spent):.3g}{cut} | {row['iteration_cost']} "
            f"| {'-' if peak is None else f'{peak:.0f}'} |",
            flush=True,
        )


def limits(arguments: argparse.Namespace) -> str:
    """What ends an attack, for the caption."""
    if arguments.budget is None and arguments.evaluations is None:
        return "until its iterations end"
    parts = []
    if arguments.evaluations is not None:
        parts.append(f"at most {arguments.evaluations:,} evaluations per image")
    if arguments.budget is not None:
        parts.append(f"cut at {arguments.budget:g} s/image by the clock")
    return ", ".join(parts)


def iteration_cost(name: str, arguments: argparse.Namespace, device: str) -> float:
    """Time of one matched gradient and its slope over one forward and backward of the victim.

    Both in float32 at batch 1, alternating, medians of nine: a ratio, so the machine cancels.
    """
    data = victims.load_data(
        arguments.data,
        root=arguments.data_root,
        count=1,
        seed=arguments.seed,
        size=arguments.size,
    )
    pictures, labels = data.images.to(device), data.labels.to(device)
    step, plain = prepare_iteration(name, pictures, labels, data.classes, arguments.seed)
    pairs = [(seconds_of_call(step, device), seconds_of_call(plain, device)) for _ in range(10)][1:]
    return statistics.median(a for a, _ in pairs) / statistics.median(b for _, b in pairs)


def prepare_iteration(
    name: str, images: Tensor, labels: Tensor, classes: int, seed: int
) -> tuple[Callable[[], None], Callable[[], None]]:
    """One step of an attack that matches gradients, and one forward and backward of its victim.

    Args:
        name: the victim, see `victims.load_model`.
        images: (1, C, H, W) private, in [0, 1].
        labels: (1,) of them.
        classes: the number of labels.
        seed: the seed of the victim's weights.
    """
    channels, height, width = images.shape[1:]
    shape = (channels, height, width)
    draw = stream(seed, "model")
    model = victims.load_model(name, image_shape=shape, classes=classes, generator=draw)
    model = model.to(images.device)
    grads = victims.per_example_gradients(model, cross_entropy, images, labels)
    defense = get("none")
    release = defense.release(grads, generator=stream(seed, "bench"))
    none = torch.zeros(0)  # matching looks at the defense only
    threat = Threat(defense, True, shape, classes, 1, none, none)
    compare = residual(model, cross_entropy, release, threat, labels, dtype=torch.float32)

    def step() -> None:
        guess = images.clone().requires_grad_()
        explained, observed = compare(guess)
        torch.autograd.grad((explained - observed).square().sum(), guess)

    def plain() -> None:
        cross_entropy(model(images), labels).backward()

    return step, plain


if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
