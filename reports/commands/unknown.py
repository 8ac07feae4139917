"""What is said of a flag that a command does not have: the nearest one, or who has it."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Collection, Sequence
from typing import Any

from defenses.errors import meant
from defenses.registry import Registry

ALIKE = 0.8
"""How alike, of 1, a mistyped flag and the one that is proposed are."""
LIKELY = 0.6
"""As much, of a value among a few; ``gpu`` and ``cpu`` are 0.67."""
Chosen = Sequence[tuple[Registry[Any], str]]
"""What was chosen from which registry: its options are the flags of a command."""


def explain(message: str, words: Sequence[str], known: Collection[str], chosen: Chosen) -> str:
    """What argparse says is wrong, with the nearest flag or with who has such a one.

    Which flags there are depends on the defense, attack or method that was chosen.

    Args:
        message: of argparse.
        words: of the command line.
        known: the flags that there are.
        chosen: see `Chosen`.
    """
    # A flag that does not exist is the mistake; what is missing may be its value.
    flags = [word.split("=")[0] for word in words if re.match("--.", word)]
    unknown = [flag for flag in flags if flag not in known]
    if unknown and message.startswith("the following arguments are required"):
        message = f"unrecognized arguments: {' '.join(unknown)}"
    if choice := re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)$", message):
        values = choice[2].replace("'", "").split(", ")
        return message.replace("(choose", f"({meant(choice[1], values, LIKELY)}choose")
    if not message.startswith("unrecognized arguments"):
        return message
    wrong = [word.split("=")[0] for word in message.split() if word.startswith("--")]
    for flag in wrong:
        if told := owners(flag, chosen):
            return told
    found = [difflib.get_close_matches(flag, known, 1, ALIKE) for flag in wrong]
    near = ", ".join(name for names in found for name in names)
    hint = f"did you mean {near}?" if near else "--help with the same choices lists all"
    return f"{message}; {hint}"


def owners(flag: str, chosen: Chosen) -> str:
    """That what was chosen lacks a flag, and which others have it; empty where none has."""
    option = flag.removeprefix("--").replace("-", "_")
    told = []
    for registry, name in chosen:
        having = [other for other in registry.names() if _has(registry, other, option)]
        if having:
            verb = "has" if len(having) == 1 else "have"
            told.append(f"{registry.kind} {name} has no {flag}; {', '.join(having)} {verb} it")
    return "; ".join(told)


def _has(registry: Registry[Any], name: str, option: str) -> bool:
    """Whether what is known under a name has an option."""
    try:
        fields = dataclasses.fields(registry.find(name))
    except Exception:  # of another package, which need not load for this
        return False
    return any(f.name == option and not f.metadata.get("hidden") for f in fields)
