"""Translates flags into a Transfer and back, for every command that fits heads."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from defenses import BadInput
from defenses.privacy.full_batch import CONVERSIONS
from reports.commands.flags import Parser, add_options, given_options
from victims.transfer.contract import registry
from victims.transfer.scenario import Transfer

EPSILON = 1.0
"""Where neither an epsilon nor a noise multiplier is given."""
FIELDS = ("data", "count", "size", "backbone", "method", "delta", "conversion", "seed")


def transfer_parser(
    argv: Sequence[str] | None,
    prog: str,
    description: str,
    *,
    backbone: str = Transfer.backbone,
    count: int | None = None,
) -> Parser:
    """A parser with a flag for each field of `Transfer`, and the chosen method's options.

    Args:
        argv: the words in which a method is looked for.
        prog: of the command.
        description: of the command.
        backbone: where none is named.
        count: private examples where no number is given; None: all.
    """
    from victims.transfer import names
    from victims.transfer.backbones.load import KNOWN

    start = Transfer(epsilon=EPSILON)
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--method", default=start.method)
    chosen, _ = first.parse_known_args(argv)
    flags = Parser(prog=prog, description=description, allow_abbrev=False)
    add = flags.add_argument
    add(
        "--method",
        default=start.method,
        help=f"{', '.join(names())} or pkg.module:Class (default {start.method})",
    )
    add("--backbone", default=backbone, help=f"{KNOWN} (default {backbone})")
    text = "photos, digits, mnist, fashion-mnist, cifar10, cifar100, svhn, folder:PATH or "
    add("--data", default=start.data, help=f"{text}pkg.module:callable (default digits)")
    text = f"private examples, chosen with the seed (default {count or 'all'})"
    add("--count", type=int, default=count, help=text)
    add("--size", type=int, help="image edge for photos and folder:")
    add("--epsilon", type=float, help="of the whole fit; sets the noise (default 1); inf: no noise")
    add("--noise-multiplier", type=float, help="noise std over sensitivity, instead of --epsilon")
    add("--delta", type=float, default=start.delta, help="of the guarantee (default 1e-05)")
    add(
        "--conversion",
        choices=CONVERSIONS,
        default=start.conversion,
        help="of noise to epsilon: exact, or as in the papers, which takes more noise",
    )
    add("--seed", type=int, default=start.seed, help="of everything random (default 0)")
    add_options(flags, registry, "method", chosen.method)
    return flags


def add_features_flag(flags: Parser) -> None:
    """The flag that says where features are kept; it decides no result."""
    flags.add_argument(
        "--features",
        type=Path,
        help="folder of kept features (default $LEAKGAUGE_FEATURES, else "
        "~/.cache/leakgauge/features)",
    )


def transfer_of(arguments: argparse.Namespace) -> Transfer:
    """The Transfer that the flags say.

    Raises:
        BadInput: no such Transfer, or an unknown method or option.
    """
    given = {name: getattr(arguments, name) for name in FIELDS}
    options = given_options(arguments, "method")
    registry.get(arguments.method, **options)
    epsilon, noise = arguments.epsilon, arguments.noise_multiplier
    if epsilon is None and noise is None:
        epsilon = EPSILON
    if epsilon is not None and math.isinf(epsilon) and epsilon > 0:
        if noise is not None:
            raise BadInput("give one of --epsilon and --noise-multiplier")
        epsilon, noise = None, 0.0
    if epsilon is not None and not (epsilon > 0 and math.isfinite(epsilon)):
        raise BadInput(f"epsilon is {epsilon:g}; it must be > 0, or inf for no noise")
    secure = getattr(arguments, "secure", False)
    return Transfer(
        **given, options=options, epsilon=epsilon, noise_multiplier=noise, secure=secure
    )


def read_method(text: str) -> tuple[str, dict[str, Any]]:
    """The name and options that ``NAME,OPTION=VALUE,...`` says.

    Raises:
        BadInput: an unknown method or option, or a value of another type.
    """
    name, *options = text.split(",")
    given: dict[str, Any] = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals:
            raise BadInput(f"method {text!r}: {option!r} is not OPTION=VALUE")
        try:
            given[key.replace("-", "_")] = json.loads(value)
        except ValueError:
            raise BadInput(f"method {text!r}: {value!r} is no number, true or false") from None
    registry.get(name, **given)
    return name, given


def transfer_values(transfer: Transfer) -> dict[str, Any]:
    """Flag values (dest -> value) that say a Transfer, for `reports.commands.flags.line`."""
    values = {f.name: getattr(transfer, f.name) for f in dataclasses.fields(transfer)}
    if not values["secure"]:
        del values["secure"]  # most commands that fit heads have no such flag
    return values | {f"method.{k}": v for k, v in values.pop("options").items()}


def fields_around(arguments: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    """The fields of a Scenario around a Transfer, which has the seed in place of the Transfer.

    Args:
        arguments: the flags.
        names: of the Scenario's fields but ``transfer`` and ``seed``; each is a flag too.

    Raises:
        BadInput: see `transfer_of`.
    """
    transfer = transfer_of(arguments)
    given = {name: getattr(arguments, name) for name in names}
    own = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
    return {"transfer": dataclasses.replace(transfer, seed=0), "seed": transfer.seed, **own}


def values_around(scenario: Any, names: Sequence[str]) -> dict[str, Any]:
    """Flag values that say a Scenario around a Transfer, see `fields_around`."""
    given = {name: getattr(scenario, name) for name in (*names, "seed")}
    own = {k: list(v) if isinstance(v, tuple) else v for k, v in given.items()}
    return transfer_values(scenario.transfer) | own
