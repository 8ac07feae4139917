"""From flags with several values each to the jobs of a sweep, one per distinct Scenario."""

from __future__ import annotations

import argparse
import importlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import defenses
from defenses import BadInput
from reports.commands.contract import Command
from reports.commands.flags import Parser
from reports.commands.parsers import CHOOSING, parsers_kept
from reports.records.keyed import key_of

COMMANDS = {f"attacks.{f}": f"attacks.{f}.command" for f in ("invert", "membership", "audit")}
COMMANDS |= {f"{name}.heads": f"{name}.heads.command" for name in COMMANDS}
COMMANDS |= {"attacks.membership.updates": "attacks.membership.updates.command"}
COMMANDS |= {"victims.train": "victims.train"}
COMMANDS |= {f"victims.{f}": f"victims.{f}.command" for f in ("transfer", "federated")}
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


def command_module(name: str) -> Command:
    """The module that says what a command's Scenarios are and runs them.

    Raises:
        BadInput: no such command. Nothing else is imported: a study may be somebody else's file.
    """
    if name not in COMMANDS:
        raise BadInput(f"no command {name!r} runs Scenarios; there are: {', '.join(COMMANDS)}")
    # By its second name: `attacks` may be another project's in this process.
    module: Any = importlib.import_module(f"leakgauge.{COMMANDS[name]}")
    found: Command = module
    return found


@parsers_kept()
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
    used: set[str] = set()
    jobs: dict[str, Job] = {}
    for values in itertools.product(*flags.values()):
        chosen = dict(zip(flags, values, strict=True))
        pick = [str(w) for f in CHOOSING if f in chosen for w in (f, chosen[f])]
        parser = module.parser(pick)
        has = {flag: value for flag, value in chosen.items() if parser.action(flag)}
        used |= has.keys()
        argv = _arguments(parser, has, promises=_promises(chosen))
        for name, words in module.SWEPT.items():
            if f"--{name}" not in chosen:
                argv += [f"--{name}", *words]
        scenario = module.scenario(module.parse(argv))
        document = scenario.document()
        key = key_of(document)  # as `Keyed.key`, of the document that is at hand
        if key not in jobs:
            again = module.command_line(scenario)
            jobs[key] = Job(command, tuple(argv), key, again, document)
    unused = sorted(flags.keys() - used)
    if unused:
        raise BadInput(f"no defense or attack of this sweep has {unused[0]}")
    return list(jobs.values())


def _arguments(parser: Parser, chosen: Mapping[str, Any], *, promises: bool) -> list[str]:
    """The arguments of one combination.

    Args:
        parser: of the combination's defense and attack.
        chosen: flag -> value; flags that the parser has.
        promises: whether the defense has noise that an epsilon can set; it is given none else.
    """
    argv: list[str] = []
    for flag, value in chosen.items():
        action = parser.action(flag)
        if action is None or (flag == "--epsilon" and not promises):
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


def _promises(chosen: Mapping[str, Any]) -> bool:
    """Whether the combination's defense has noise that an epsilon can set."""
    if "--epsilon" not in chosen:
        return True
    defense = defenses.get(str(chosen.get("--defense", "dpsgd")))
    return defenses.with_effective_noise(defense, 1.0) is not None


def _switch(flag: str, action: argparse.Action, value: str) -> list[str]:
    if value.lower() not in ("", "true", "false"):
        raise BadInput(f"{flag} is a switch; it takes true or false, not {value!r}")
    if value.lower() != "false":
        return [flag]
    no = next((o for o in action.option_strings if o.startswith("--no-")), None)
    return [no] if no else []
