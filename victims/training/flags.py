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


def training_parser(argv: Sequence[str] | None, prog: str, description: str | None) -> Parser:
    """A parser with a flag for each field of `Training`, and the chosen defense's options."""
    start = Training()
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--defense", default=start.defense)
    chosen, _ = first.parse_known_args(argv)
    parser = Parser(prog=prog, description=description, allow_abbrev=False)
    add = parser.add_argument

    def plain(name: str, text: str, kind: Any = None) -> None:
        default = getattr(start, name)
        known = CHOICES.get(name)
        text += f" ({', '.join(known)})" if known else ""
        text += "" if default is None else f" (default {default})"
        flag = "--" + name.replace("_", "-")
        add(flag, type=kind or type(default), default=default, choices=known, help=text)

    plain("defense", f"{', '.join(defenses.names())}, or pkg.module:Class")
    plain(
        "data", "photos, digits, mnist, fashion-mnist, cifar10, folder:PATH or pkg.module:callable"
    )
    plain("count", "private examples, chosen with the seed (default: all)", int)
    plain("size", "image edge for photos and folder:", int)
    plain("model", f"{', '.join(model_names())} or pkg.module:callable")
    plain("weights", "safetensors file to start from; what it spent on this data is counted")
    plain("layers", "what is trained")
    plain("epochs", "an epoch is 1 / sample rate steps")
    plain("batch_size", "expected examples per step; the public divisor")
    plain("lr", "learning rate at its highest")
    plain("momentum", "of SGD, in [0, 1)")
    plain("weight_decay", "L2 penalty in the optimiser")
    plain("optimizer", "of the released updates")
    plain("schedule", "of the learning rate")
    plain("warmup", "steps over which the learning rate first grows")
    plain("views", "augmented views per example, averaged before clipping")
    plain("average", "decay of the moving average of the weights that is evaluated; 0: none")
    plain("sampling", "of batches; shuffle is not what the accountants assume")
    plain(
        "epsilon",
        "sets the noise; with --noise-multiplier, the budget that ends the run "
        f"(default {EPSILON:g} where neither is given and the defense has a guarantee)",
        float,
    )
    plain("delta", "of the guarantee")
    plain("accountant", "of the spent epsilon")
    plain("public", "data that is not private, for defenses that learn from it", str)
    plain("anchors", "how many examples of the public data")
    plain("seed", "of everything random")
    add_options(parser, defenses.registry.find(chosen.defense), "defense", chosen.defense)
    return parser


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
