"""``python -m attacks.invert.bench``: what the inversions reach and cost on this machine."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence

import torch
from torch.nn.functional import cross_entropy

import victims
from attacks.invert.contract import Threat
from attacks.invert.matching.objective import residual
from attacks.invert.scenario import Scenario
from attacks.invert.study import study
from defenses import get, stream
from reports.commands.entry import run_command
from reports.commands.flags import Parser
from reports.records.column import Column
from reports.records.environment import environment

PROG = "python -m attacks.invert.bench"
MASKED = {"noise_multiplier": 0.0, "cooling": False}
"""One round, at the rate as given."""
MODELS = ("linear", "mlp", "lenet", "convnet", "resnet20-4")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the benchmark."""
    parser = Parser(prog=PROG, description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--data", default="cifar10", help="see attacks.invert (default cifar10)")
    add("--data-root")
    add("--images", type=int, default=8, help="private images (default 8)")
    add("--models", nargs="+", default=["linear", "mlp", "lenet"], help=f"of {', '.join(MODELS)}")
    add("--evaluations", type=int, help="gradients per image (default: the attack's own)")
    add("--budget", type=float, help="a guard in seconds per image; see attacks.invert")
    add("--iterations", type=int, default=400, help="of attack auto (default 400)")
    add("--masked", action="store_true", help="also dprs at 0.9 without noise, both columns")
    add("--seed", type=int, default=0)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table in Markdown. Returns the exit code."""
    arguments = parse(argv)
    facts = environment(seed=arguments.seed, device="cpu")
    print(
        f"{arguments.data}, images 0..{arguments.images - 1} after the seeded shuffle, batch 1, "
        f"labels unknown, untrained, attack auto, {limits(arguments)}"
    )
    print(
        f"seed {arguments.seed}; {facts['machine']}, {facts['threads']} threads; "
        f"torch {facts['versions']['torch']}; {facts['date'][:10]}\n"
    )
    print(
        "| model | defense | attacker | median PSNR dB | mean | min-max "
        "| median s/image | iteration / (forward + backward) |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for model in arguments.models:
        cost = iteration_cost(model, arguments)
        for defense, columns in (("none", "adaptive"), ("dprs", "both"))[: 1 + arguments.masked]:
            scenario = Scenario(
                data=arguments.data,
                images=arguments.images,
                model=model,
                defense=defense,
                defense_options=MASKED if defense == "dprs" else {},
                against=(),
                columns=columns,
                evaluations=arguments.evaluations,
                budget=arguments.budget,
                attack_options={"iterations": arguments.iterations},
                seed=arguments.seed,
            )
            record = study(scenario, data_root=arguments.data_root)
            for name in record.summary:
                column = Column.of(name)
                rows = [r for r in record.rows if r["adaptive"] == column.adaptive]
                values = [r["psnr"] for r in rows]
                cut = "*" if any(r["stopped"] == "time" for r in rows) else ""
                seconds = statistics.median(r["seconds"] for r in rows)
                print(
                    f"| {model} | {defense} | {column.attacker} | {statistics.median(values):.1f} "
                    f"| {statistics.mean(values):.1f} | {min(values):.1f}-{max(values):.1f} "
                    f"| {seconds:.3g}{cut} | {cost:.1f} |",
                    flush=True,
                )
    return 0


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


def iteration_cost(name: str, arguments: argparse.Namespace) -> float:
    """Time of one matched gradient and its slope over one forward and backward of the victim.

    Both in float32 at batch 1, alternating, medians of nine: a ratio, so the machine cancels.
    """
    data = victims.load_data(arguments.data, root=arguments.data_root, count=1, seed=arguments.seed)
    channels, height, width = data.images.shape[1:]
    model = victims.load_model(
        name,
        image_shape=(channels, height, width),
        classes=data.classes,
        generator=stream(arguments.seed, "model"),
    )
    defense = get("none")
    grads = victims.per_example_gradients(model, cross_entropy, data.images, data.labels)
    release = defense.release(grads, generator=stream(arguments.seed, "bench"))
    none = torch.zeros(0)  # matching looks at the defense only
    threat = Threat(defense, True, (channels, height, width), data.classes, 1, none, none)
    compare = residual(model, cross_entropy, release, threat, data.labels, dtype=torch.float32)

    def step() -> None:
        images = data.images.clone().requires_grad_()
        explained, observed = compare(images)
        torch.autograd.grad((explained - observed).square().sum(), images)

    def plain() -> None:
        cross_entropy(model(data.images), data.labels).backward()

    pairs = [(_clock(step), _clock(plain)) for _ in range(10)][1:]
    return statistics.median(a for a, _ in pairs) / statistics.median(b for _, b in pairs)


def _clock(act: Callable[[], None]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
