"""From flags with several values each to the jobs of a sweep, one per distinct Scenario."""

from __future__ import annotations

import argparse
import importlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import defenses
from defenses import BadInput

COMMANDS = {f"attacks.{f}": f"attacks.{f}.command" for f in ("invert", "membership", "audit")}
COMMANDS["victims.train"] = "victims.train"
"""What can be swept, and the module that says how."""
Values = Sequence[str | Sequence[str]]
NOT_SWEPT = ("--out", "--fresh", "--device", "--data-root", "--observation", "--code", "--help")


@dataclass(frozen=True)
class Job:
    """One Scenario of a sweep.

    Attributes:
        command: ``attacks.invert``, ``victims.train``, ...
        argv: the command's arguments that say it.
        key: of the Scenario; names its folder.
        again: the command line that runs it alone.
        scenario: the Scenario's fields as JSON holds them.
    """

    command: str
    argv: tuple[str, ...]
    key: str
    again: str
    scenario: Mapping[str, Any] = field(default_factory=dict, compare=False)


def command_module(name: str) -> ModuleType:
    """The module with a command's ``parse``, ``parser``, ``scenario``, ``command_line``, ``run``.

    Raises:
        BadInput: no such command. Nothing else is imported: a study may be somebody else's file.
    """
    if name not in COMMANDS:
        raise BadInput(f"no command {name!r} runs Scenarios; there are: {', '.join(COMMANDS)}")
    return importlib.import_module(COMMANDS[name])


def cross(command: str, flags: Mapping[str, Values]) -> list[Job]:
    """Every combination of the flags' values as Jobs, equal Scenarios once, in their order.

    A flag that the combination's defense or attack does not have is left out of it: ``none``
    crossed with ten rates is one Scenario. So is ``--epsilon`` for a defense that promises none.

    Args:
        command: see `command_module`.
        flags: ``--rate`` -> ``["0", "0.9"]``. A switch takes ``true`` and ``false``. A flag that
            takes a list has one list (or one string of words) per value.

    Raises:
        BadInput: a flag that no combination has, or a combination that is no Scenario.
    """
    refused = [flag for flag in flags if flag in NOT_SWEPT]
    if refused:
        raise BadInput(f"{refused[0]} cannot be swept")
    module = command_module(command)
    unused = set(flags)
    jobs: dict[str, Job] = {}
    parsers: dict[tuple[str, ...], argparse.ArgumentParser] = {}
    for values in itertools.product(*flags.values()):
        chosen = dict(zip(flags, values, strict=True))
        pick = tuple(
            str(w) for f in ("--defense", "--attack") if f in chosen for w in (f, chosen[f])
        )
        if pick not in parsers:
            parsers[pick] = module.parser(list(pick))
        argv = _argv(parsers[pick], chosen, unused)
        for name, value in module.SWEPT.items():
            if f"--{name}" not in chosen:
                argv += [f"--{name}", *value]
        scenario = module.scenario(module.parse(argv))
        key, again = scenario.key(), module.command_line(scenario)
        jobs.setdefault(key, Job(command, tuple(argv), key, again, scenario.document()))
    if unused:
        raise BadInput(f"no defense or attack of this sweep has {sorted(unused)[0]}")
    return list(jobs.values())


def _argv(
    parser: argparse.ArgumentParser, chosen: Mapping[str, Any], unused: set[str]
) -> list[str]:
    """The arguments for one combination; flags that its parser has are struck from ``unused``."""
    argv: list[str] = []
    for flag, value in chosen.items():
        action = parser._option_string_actions.get(flag)
        if action is None:
            continue
        unused.discard(flag)
        if flag == "--epsilon" and not _promises(str(chosen.get("--defense", "dpsgd"))):
            continue
        if action.nargs == 0:
            argv += _switch(flag, action, value)
        elif action.nargs is None:
            argv += [f"{flag}={value}"]
        else:
            words = value.split() if isinstance(value, str) else value
            if any(word.startswith("--") for word in words):  # it would be read as a flag's name
                raise BadInput(f"{flag} has a value with -- in front: {' '.join(words)!r:.60}")
            argv += [flag, *words]
    return argv


def _promises(defense: str) -> bool:
    """Whether a defense has noise that an epsilon can set."""
    return defenses.with_effective_noise(defenses.get(defense), 1.0) is not None


def _switch(flag: str, action: argparse.Action, value: str) -> list[str]:
    if value.lower() not in ("", "true", "false"):
        raise BadInput(f"{flag} is a switch; it takes true or false, not {value!r}")
    if value.lower() != "false":
        return [flag]
    no = next((o for o in action.option_strings if o.startswith("--no-")), None)
    return [no] if no else []
