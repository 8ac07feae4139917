"""Translates flags into a Federation and back."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from typing import Any

import defenses
from reports.commands.flags import Parser, add_options, given_options, line
from victims.federated.scenario import PLACES, RULES, Federation
from victims.federated.turns import ORDERS
from victims.models import model_names

PROG = "python -m victims.federated"
DESCRIPTION = "Train among participants that share updates, by distributed selective SGD (Shokri "
DESCRIPTION += "and Shmatikov 2015), FedAvg or FedSGD, on Flower."
CHOICES = {"rule": RULES, "order": ORDERS, "where": PLACES}
OPTIONAL = {"examples": int, "per_parameter": float, "epsilon": float}
"""Types of the flags whose default is None."""
USUAL = {"dssgd": "dssgd"}
"""Rule -> the defense where none is named; ``none`` for the other rules."""


def federation_parser(
    argv: Sequence[str] | None, prog: str = PROG, description: str = DESCRIPTION
) -> Parser:
    """A parser with a flag for each field of `Federation`, and the chosen defense's options.

    Args:
        argv: the words in which rule and defense are looked for.
        prog: of the command.
        description: of the command.
    """
    start = Federation()
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--rule", default=start.rule)
    first.add_argument("--defense")
    chosen, _ = first.parse_known_args(argv)
    defense = chosen.defense or USUAL.get(chosen.rule, "none")
    parser = Parser(prog=prog, description=description, allow_abbrev=False)
    for name, text in _texts().items():
        default, choices = getattr(start, name), CHOICES.get(name)
        default = defense if name == "defense" else default
        text += f" ({', '.join(choices)})" if choices else ""
        text += "" if default is None else f" (default {default})"
        kind: Any = OPTIONAL.get(name, type(default))
        # What a field allows is said once, by Federation, for flags as for Python.
        parser.add_argument("--" + name.replace("_", "-"), type=kind, default=default, help=text)
    add_options(parser, defenses.registry, "defense", defense)
    return parser


def federation_of(arguments: argparse.Namespace) -> Federation:
    """The Federation that the flags say.

    Raises:
        BadInput: no such Federation, or an unknown defense or option.
    """
    given = {
        f.name: getattr(arguments, f.name)
        for f in dataclasses.fields(Federation)
        if f.name != "defense_options"
    }
    options = given_options(arguments, "defense")
    defenses.get(arguments.defense, **options)
    return Federation(**given, defense_options=options)


def federation_values(federation: Federation) -> dict[str, Any]:
    """Flag values (dest -> value) that say a Federation, for `reports.commands.flags.line`."""
    values = {f.name: getattr(federation, f.name) for f in dataclasses.fields(federation)}
    return values | {f"defense.{k}": v for k, v in values.pop("defense_options").items()}


def words_of(federation: Federation) -> str:
    """The flags that say a Federation, as one text, defaults left out."""
    words = ["--defense", federation.defense, "--rule", federation.rule]
    said = line(PROG, federation_parser(words), federation_values(federation))
    said = said.removeprefix(PROG).strip()
    # The default of --defense hangs on what was chosen, so that it has to be said.
    return said if "--defense" in said else f"--defense {federation.defense} {said}".strip()


def _texts() -> dict[str, str]:
    """What ``--help`` says of each field of `Federation` that has a flag, in its order."""
    return {
        "rule": "what is uploaded, and what the server makes of it",
        "participants": "how many there are",
        "examples": "of each participant (default: all there are, shared out)",
        "data": "photos, digits, mnist, fashion-mnist, cifar10, cifar100, svhn, folder:PATH "
        "or pkg.module:callable",
        "model": f"{', '.join(model_names())} or pkg.module:callable",
        "order": "dssgd: of the uploads",
        "staleness": "asynchronous: others' uploads between a download and its upload",
        "theta_d": "dssgd: share of the parameters that is downloaded, in (0, 1]",
        "decay": "dssgd: factor of the download counters at every upload, in (0, 1]",
        "share": "fedavg, fedsgd: probability with which a participant is in a round, in (0, 1]",
        "rounds": "dssgd: an upload of every participant; else a step of the server",
        "epochs": "of local training in a round",
        "batch_size": "examples in a local step; fedsgd: expected",
        "lr": "learning rate",
        "defense": f"{', '.join(defenses.names())}, or pkg.module:Class",
        "where": "the defense stands",
        "per_parameter": "dssgd: epsilon per uploaded parameter, of the sparse vector technique",
        "epsilon": "sets the noise of the defense",
        "delta": "of the guarantee",
        "norm_limit": "uploads longer than this many times the usual are rejected",
        "seed": "of everything random",
    }
