"""``python -m victims.reproduce``: published accuracies of private training, run again."""

from __future__ import annotations

import argparse
import dataclasses
import json
import shlex
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attacks.flags import Parser, chosen_device, command
from victims.training import Training

PROG = "python -m victims.reproduce"
TRAMER = {"clip": 0.1}
SCATTER = Training(
    data="fashion-mnist",
    model="scatter-linear",
    defense="dpsgd",
    defense_options=TRAMER,
    batch_size=8192,
    epochs=40,
    lr=16,
    momentum=0.9,
    epsilon=3,
)
CNN = dataclasses.replace(SCATTER, model="tanh-cnn", batch_size=2048, lr=4)
CIFAR = Training(data="cifar10", defense="dpsgd", epsilon=3)
DPCNN = dataclasses.replace(CIFAR, model="dpcnn", batch_size=1000, lr=1)
WRN = dataclasses.replace(
    CIFAR, model="wrn-16-4", defense_options={"clip": 1.0}, batch_size=4096, lr=2, views=16
)
WRN = dataclasses.replace(WRN, average=0.999, schedule="constant")


@dataclasses.dataclass(frozen=True)
class Row:
    """One published number and the training that should reach it.

    Attributes:
        name: for ``--rows``.
        what: as the table says it.
        training: the setting, seed apart.
        published: test accuracy in percent; None where the paper has none for this setting.
        slow: left out unless asked for: hours on a CPU.
    """

    name: str
    what: str
    training: Training
    published: float | None
    slow: bool = False


def _rows() -> list[Row]:
    def with_(base: Training, **changed: Any) -> Training:
        return dataclasses.replace(base, **changed)

    def sparse(base: Training, rate: float, **changed: Any) -> Training:
        options = {**base.defense_options, "rate": rate}
        return with_(base, defense="dprs", defense_options=options, **changed)

    def sigma(base: Training, noise: float) -> Training:
        options = {**base.defense_options, "noise_multiplier": noise}
        return with_(base, defense_options=options, epsilon=None)

    wrn_1, wrn_8 = sigma(WRN, 10.0), sigma(WRN, 3.0)
    cifar_scatter = with_(CIFAR, defense_options=TRAMER, batch_size=8192, lr=4, momentum=0.9)
    return [
        Row("fmnist-scatter", "FMNIST, ScatterNet + linear", SCATTER, 89.7),
        Row("fmnist-scatter-sigma", "the same at the published sigma", sigma(SCATTER, 4.05), 89.7),
        Row("fmnist-scatter-rs50", "the same with DPRS 0.5", sparse(SCATTER, 0.5), None),
        Row("fmnist-scatter-rs90", "the same with DPRS 0.9", sparse(SCATTER, 0.9), None),
        Row(
            "mnist-scatter",
            "MNIST, ScatterNet + linear (GroupNorm; the paper: noisy BatchNorm)",
            with_(SCATTER, data="mnist", batch_size=4096, lr=8),
            98.7,
        ),
        Row("fmnist-cnn", "FMNIST, CNN", CNN, 86.0),
        Row("mnist-cnn", "MNIST, CNN", with_(CNN, data="mnist", batch_size=512, lr=0.5), 98.1),
        Row(
            "cifar-scatter",
            "CIFAR-10, ScatterNet + linear (GroupNorm; the paper: noisy BatchNorm)",
            with_(cifar_scatter, model="scatter-linear", epochs=60),
            67.0,
            True,
        ),
        Row(
            "cifar-scatter-cnn",
            "CIFAR-10, ScatterNet + CNN (likewise)",
            with_(cifar_scatter, model="scatter-cnn", epochs=60),
            69.3,
            True,
        ),
        Row(
            "cifar-dpcnn-rs90",
            "CIFAR-10, DP-CNN with DPRS 0.9",
            sparse(with_(DPCNN, defense_options={"clip": 1.0}, epochs=48), 0.9),
            None,
            True,
        ),
        Row(
            "cifar-dpcnn",
            "CIFAR-10, DP-CNN, retuned",
            with_(DPCNN, defense_options={"clip": 1.0}, epochs=40),
            None,
            True,
        ),
        Row(
            "cifar-dpcnn-earlier",
            "CIFAR-10, DP-CNN, as in earlier work",
            with_(DPCNN, defense_options={"clip": 0.1}, momentum=0.9, epochs=40),
            None,
            True,
        ),
        Row(
            "cifar-wrn-eps1",
            "CIFAR-10, WRN-16-4 near epsilon 1",
            with_(wrn_1, epochs=72),
            None,
            True,
        ),
        Row(
            "cifar-wrn-eps8",
            "CIFAR-10, WRN-16-4 near epsilon 8",
            with_(wrn_8, epochs=205),
            None,
            True,
        ),
    ]


ROWS = _rows()


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the command."""
    names = [r.name for r in ROWS]
    parser = Parser(prog=PROG, description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    quick = [r.name for r in ROWS if not r.slow]
    add("--rows", nargs="+", choices=names, default=quick, metavar="ROW", help=", ".join(names))
    add("--seeds", type=int, default=3, help="runs per row, seeds 0, 1, ... (default 3)")
    add("--data-root")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add("--out", type=Path, default=Path("runs/reproduce"))
    add("--table", action="store_true", help="only print the table of what has been run")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run what is missing, print the table. Returns the exit code."""
    arguments = parse(argv)
    from victims.memory import keep_memory

    device = chosen_device(arguments.device)
    keep_memory()
    chosen = [r for r in ROWS if r.name in arguments.rows]
    features: dict[Any, Any] = {}
    for row in [] if arguments.table else chosen:
        for seed in range(arguments.seeds):
            training = dataclasses.replace(row.training, seed=seed)
            folder = arguments.out / f"{row.name}-{seed}"
            if (folder / "result.json").exists():
                continue
            print(f"\n## {row.name}, seed {seed}: {command_line(training)}\n", flush=True)
            _train(training, folder, features, device=device, data_root=arguments.data_root)
        features.clear() if row.training.data == "cifar10" else None
    print("\n" + table(arguments.out))
    return 0


def _train(training: Training, folder: Path, features: dict[Any, Any], **where: Any) -> None:
    from attacks.progress import Progress
    from victims import runs
    from victims.outcome import describe, finish, show

    with Progress() as bar:
        prepared = runs.prepare(training, report=bar, features=features, **where)
    describe(prepared.trainer.plan)
    with Progress() as bar:
        rows = [show(row) for row in runs.run(prepared, folder, keep=0, report=bar)]
    finish(prepared, rows, folder, where["device"])


def command_line(training: Training) -> str:
    """The ``python -m victims.train`` command of a training."""
    start = Training()
    words = ["python -m victims.train"]
    for field in dataclasses.fields(Training):
        value = getattr(training, field.name)
        if field.name == "defense_options":
            options = value
        elif field.name == "defense" or value != getattr(start, field.name):
            words += [_flag(field.name), shlex.quote(_plain(value))]
    for name, value in options.items():
        words += [_flag(name), shlex.quote(_plain(value))]
    return " ".join(words)


def table(folder: Path) -> str:
    """Markdown of every row and what its finished runs in ``folder`` reached."""
    lines = [
        "| setting | published % | ours %: mean (seeds) | sigma | epsilon RDP / PRV | command |",
        "|---|---|---|---|---|---|",
    ]
    for row in ROWS:
        found = [
            json.loads(path.read_text(encoding="utf-8"))
            for path in sorted(folder.glob(f"{row.name}-[0-9]*/result.json"))
        ]
        reached, noise, spent = "", "", ""
        if found:
            values = [100 * record["summary"]["accuracy"]["mean"] for record in found]
            reached = f"{statistics.mean(values):.2f} ({', '.join(f'{v:.2f}' for v in values)})"
            bounds = found[0]["bounds"]
            noise = f"{bounds['noise_multiplier']:.3f}"
            spent = f"{bounds['epsilon']['rdp']:.2f} / {bounds['epsilon']['prv']:.2f}"
        published = "-" if row.published is None else f"{row.published:.1f}"
        how = f"`{command_line(row.training)}`"
        lines.append(f"| {row.what} | {published} | {reached} | {noise} | {spent} | {how} |")
    return "\n".join(lines)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.path.insert(0, "")
    command(main, PROG)
