"""Translates flags into a Training and back, for every command that trains."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from typing import Any

import defenses
from reports.commands.flags import Parser, add_options, given_options
from victims.models import model_names
from victims.training.scenario import CHOICES, Training

EPSILON = 3.0
"""The budget of a run that names neither it nor the noise."""


OPTIONAL = {"count": int, "size": int, "epsilon": float, "public": str}
"""Types of the flags whose default is None."""


def training_parser(
    argv: Sequence[str] | None, prog: str, description: str | None, *, count: int | None = None
) -> Parser:
    """A parser with a flag for each field of `Training`, and the chosen defense's options.

    Args:
        argv: the words in which a defense is looked for.
        prog: of the command.
        description: of the command.
        count: private examples where no number is given; None: all.
    """
    start = Training(count=count)
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--defense", default=start.defense)
    chosen, _ = first.parse_known_args(argv)
    parser = Parser(prog=prog, description=description, allow_abbrev=False)
    add = parser.add_argument
    for name, text in _texts().items():
        default, choices = getattr(start, name), CHOICES.get(name)
        text += f" ({', '.join(choices)})" if choices else ""
        shown = "all" if name == "count" and default is None else default
        text += "" if shown is None else f" (default {shown})"
        kind: Any = OPTIONAL.get(name, type(default))
        flag = "--" + name.replace("_", "-")
        add(flag, type=kind, default=default, choices=choices, help=text)
    defense = chosen.defense
    add_options(parser, defenses.registry, "defense", defense, _unsaid(defense))
    return parser


def _unsaid(name: str) -> dict[str, str]:
    """Option of a defense -> what a training takes for it, where that is not its own default."""
    try:
        guaranteed = defenses.with_effective_noise(defenses.get(name), 1.0) is not None
    except TypeError:  # it has options without a default
        return {}
    return {"noise_multiplier": "what --epsilon asks for"} if guaranteed else {}


def _texts() -> dict[str, str]:
    """What ``--help`` says of each field of `Training` that has a flag, in its order."""
    return {
        "defense": f"{', '.join(defenses.names())}, or pkg.module:Class",
        "data": "photos, digits, mnist, fashion-mnist, cifar10, cifar100, svhn, folder:PATH "
        "or pkg.module:callable",
        "count": "private examples, chosen with the seed",
        "size": "image edge for photos and folder:",
        "model": f"{', '.join(model_names())} or pkg.module:callable",
        "weights": "safetensors file to start from; what it spent on this data is counted",
        "layers": "what is trained",
        "epochs": "an epoch is 1 / sample rate steps",
        "batch_size": "expected examples per step; the public divisor",
        "lr": "learning rate at its highest",
        "momentum": "of SGD, in [0, 1)",
        "weight_decay": "L2 penalty in the optimiser",
        "optimizer": "of the released updates",
        "schedule": "of the learning rate",
        "warmup": "steps over which the learning rate first grows",
        "views": "augmented views per example, averaged before clipping",
        "average": "decay of the moving average of the weights that is evaluated; 0: none",
        "sampling": "of batches; shuffle is not what the accountants assume",
        "epsilon": "sets the noise; with --noise-multiplier, the budget that ends the run "
        f"(default {EPSILON:g} where neither is given and the defense has a guarantee)",
        "delta": "of the guarantee",
        "accountant": "of the spent epsilon",
        "public": "data that is not private, for defenses that learn from it",
        "anchors": "how many examples of the public data",
        "seed": "of everything random",
    }


def training_of(arguments: argparse.Namespace) -> Training:
    """The Training that the flags say.

    Raises:
        BadInput: no such Training, or an unknown defense or option.
    """
    given: dict[str, Any] = {
        f.name: getattr(arguments, f.name, f.default) for f in dataclasses.fields(Training)
    }
    given["defense_options"] = given_options(arguments, "defense")
    shield = defenses.get(arguments.defense, **given["defense_options"])
    if given["epsilon"] is None and "noise_multiplier" not in given["defense_options"]:
        given["epsilon"] = EPSILON if defenses.with_effective_noise(shield, 1.0) else None
    return Training(**given)


def training_values(training: Training) -> dict[str, Any]:
    """Flag values (dest -> value) that say a Training, for `reports.commands.flags.line`."""
    values = {f.name: getattr(training, f.name) for f in dataclasses.fields(training)}
    return values | {f"defense.{k}": v for k, v in values.pop("defense_options").items()}
