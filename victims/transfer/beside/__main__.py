"""``python -m victims.transfer.beside``: heads by other libraries on the same features.

Logistic regression by diffprivlib, a linear layer by Opacus, and regressions without any privacy
by scikit-learn, at the epsilons that `victims.transfer.compare` is asked for.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor

from defenses import BadInput
from reports.commands.entry import run_command
from reports.commands.flags import DATA_ROOT, Parser, chosen_device
from reports.commands.progress import Progress
from reports.estimates import Estimate
from reports.panels.trained import accuracy_over_seeds
from victims.gradients.memory import keep_memory
from victims.transfer.beside.diffprivlib_head import diffprivlib_labels
from victims.transfer.beside.opacus_head import Settings, opacus_labels
from victims.transfer.beside.sklearn_head import SKLEARN, sklearn_labels
from victims.transfer.features import store
from victims.transfer.flags import add_features_flag
from victims.transfer.prepare import Prepared, prepare
from victims.transfer.scenario import Transfer

PROG = "python -m victims.transfer.beside"
PYTHON = "LEAKGAUGE_DIFFPRIVLIB"
"""Names the Python of an environment with diffprivlib, which needs an older scikit-learn."""
FEW = 128
"""Directions in which diffprivlib, whose noise grows with their number, sees features as well."""
LIBRARIES = ("diffprivlib", "opacus", "scikit-learn")

Labels = Callable[[Prepared, float, int], Tensor]
"""The labels (M,) that a head gives the tests, by epsilon, which may be infinite, and seed."""


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the command."""
    parser = Parser(prog=PROG, description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--data", default="digits", help="see victims.transfer (default digits)")
    add("--count", type=int, help="private examples (default all)")
    add("--backbone", default="scatternet", help="see victims.transfer (default scatternet)")
    add("--epsilon", nargs="+", type=float, default=[1.0, 8.0], help="(default 1 8)")
    add("--delta", type=float, default=Transfer.delta, help="of Opacus (default 1e-05)")
    add("--seeds", type=int, default=3, help="fits of each, by seeds 0, 1, ... (default 3)")
    add("--libraries", nargs="+", choices=LIBRARIES, default=LIBRARIES, help="(default all)")
    text = f"python with diffprivlib and scikit-learn below 1.6 (default ${PYTHON})"
    add("--diffprivlib", metavar="PYTHON", default=os.environ.get(PYTHON, ""), help=text)
    for field in dataclasses.fields(Settings):
        flag, kind = "--" + field.name.replace("_", "-"), type(field.default)
        add(flag, type=kind, default=field.default, help=f"of Opacus (default {field.default})")
    add("--device", default="auto", choices=("auto", "cpu", "cuda"), help="of the features")
    add("--data-root", help=DATA_ROOT)
    add_features_flag(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Fit, and print a row for each library's head. Returns the exit code."""
    arguments = parse(argv)
    keep_memory()
    heads = heads_of(arguments)
    epsilons = sorted({*arguments.epsilon, math.inf})
    base = Transfer(
        data=arguments.data,
        count=arguments.count,
        backbone=arguments.backbone,
        noise_multiplier=0.0,
        delta=arguments.delta,
    )
    with Progress() as bar:
        device, folder = chosen_device(arguments.device), store(arguments.features)
        root = arguments.data_root
        prepared = prepare(base, folder=folder, device=device, data_root=root, report=bar)
        majority = float(prepared.labels.bincount().max()) / len(prepared.labels)
        titles = [f"epsilon {e:g}" for e in epsilons[:-1]]
        print("| " + " | ".join(["head", *titles, "without noise", "guess"]) + " |")
        print("|---" * (len(epsilons) + 2) + "|", flush=True)
        for turn, (name, labels) in enumerate(heads.items()):
            cells = []
            for epsilon in epsilons:
                bar(f"{name}, epsilon {epsilon:g}", turn, len(heads))
                private = name not in SKLEARN or math.isinf(epsilon)
                seeds = range(1 if math.isinf(epsilon) else arguments.seeds)
                found = [accuracy(prepared, labels(prepared, epsilon, s)) for s in seeds if private]
                cells.append(accuracy_over_seeds(found).times(100).show(1) if found else "-")
            print("| " + " | ".join([name, *cells, f"{100 * majority:.1f}"]) + " |", flush=True)
    return 0


def heads_of(arguments: argparse.Namespace) -> dict[str, Labels]:
    """Name of a head -> what fits it, of the libraries that the flags name.

    Raises:
        BadInput: numbers that cannot be, or no Python for diffprivlib.
    """
    for name in ("seeds", "batch_size", "epochs"):
        if getattr(arguments, name) < 1:
            flag = name.replace("_", "-")
            raise BadInput(f"--{flag} is {getattr(arguments, name)}; it must be >= 1")
    for epsilon in arguments.epsilon:
        if not (epsilon > 0 and math.isfinite(epsilon)):
            raise BadInput(f"epsilon is {epsilon:g}; it must be > 0 and finite")
    settings = Settings(
        **{f.name: getattr(arguments, f.name) for f in dataclasses.fields(Settings)}
    )
    python = arguments.diffprivlib
    if "diffprivlib" in arguments.libraries and not python:
        raise BadInput(
            f"diffprivlib needs a Python of its own: --diffprivlib or ${PYTHON} names one "
            "where 'diffprivlib==0.6.6' and 'scikit-learn<1.6' are installed; or leave it out "
            "of --libraries"
        )
    found: dict[str, dict[str, Labels]] = {
        "diffprivlib": {
            f"diffprivlib LogisticRegression{told} (delta 0)": partial(
                diffprivlib_labels, python=python, directions=directions
            )
            for told, directions in (("", None), (f", {FEW} random directions", FEW))
        },
        "opacus": {"Opacus, a linear layer": partial(opacus_labels, settings=settings)},
        "scikit-learn": {name: partial(sklearn_labels, name=name) for name in SKLEARN},
    }
    chosen = [found[library] for library in LIBRARIES if library in arguments.libraries]
    return {name: labels for heads in chosen for name, labels in heads.items()}


def accuracy(prepared: Prepared, labels: Tensor) -> Estimate:
    """The share of tests whose label was found, with its exact interval."""
    return Estimate.share(int((labels == prepared.labels).sum()), len(prepared.labels))


if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
