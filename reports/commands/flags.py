"""Command-line flags: those that every command has, those made from dataclass fields, and back."""

from __future__ import annotations

import argparse
import dataclasses
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from defenses import BadInput
from defenses.options import allowed_range
from defenses.registry import Registry
from reports.commands.examples import examples
from reports.commands.unknown import explain

DEVICES = ("auto", "cpu", "cuda")
DEVICE = "what computes (default auto: a GPU where there is one)"
DATA_ROOT = "where sets lie (default $LEAKGAUGE_DATA, else ~/.cache/leakgauge)"
MODULE, SCRIPT = "python -m ", "leakgauge "
"""How a command is typed: as a module, or by the script of `leakgauge.main`."""


class Parser(argparse.ArgumentParser):
    """argparse, saying what is wrong in one line with exit code 2.

    Args:
        prog: the command as ``python -m attacks.invert``; messages and help name it as it was
            typed, and help ends with its `examples`.
        given: what argparse takes.
    """

    def __init__(self, prog: str, **given: Any) -> None:
        self.command = prog.rpartition(" ")[2]
        self.words: list[str] = []
        self.chosen: list[tuple[Registry[Any], str]] = []
        typed = sys.argv[0].startswith(SCRIPT) and prog.startswith(MODULE)
        super().__init__(prog=sys.argv[0] if typed else prog, **given)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does, with the words kept for `error`."""
        self.words = list(sys.argv[1:] if args is None else args)
        return super().parse_known_args(self.words, namespace)

    def format_help(self) -> str:
        """The help of argparse, and examples."""
        return super().format_help() + examples(self.command, self.prog)

    def error(self, message: str) -> NoReturn:
        """Print the message without the usage text and leave with 2, see `explain`."""
        told = explain(message, self.words, self._option_string_actions, self.chosen)
        self.exit(2, f"{self.prog}: {told}\n")

    # argparse keeps these to itself; nobody else here touches its private attributes.

    def action(self, flag: str) -> argparse.Action | None:
        """What stands behind a flag, ``--rate``; None where the parser does not have it."""
        return self._option_string_actions.get(flag)

    def actions(self) -> Iterator[argparse.Action]:
        """What stands behind each flag, in the order in which they were added."""
        return (action for action in self._actions if action.option_strings)


def add_run_flags(
    parser: argparse.ArgumentParser, folder: str, *, at_a_time: str | None = None
) -> None:
    """The flags of every command that runs a Scenario: where, into what folder, and anew.

    Args:
        parser: of the command.
        folder: the beginning of the results' folder, ``invert``.
        at_a_time: what ``--jobs`` counts, ``models trained``; None: the command has no such flag.
    """
    add = parser.add_argument
    if at_a_time is not None:
        text = f"{at_a_time} at a time (default: one per core, on a GPU 1)"
        add("--jobs", type=int, help=text)
    add("--data-root", help=DATA_ROOT)
    add("--device", choices=DEVICES, default="auto", help=DEVICE)
    add("--out", type=Path, help=f"folder of the results (default runs/{folder}-HASH)")
    add("--fresh", action="store_true", help="run again even where a result lies")


def add_options(
    parser: Parser,
    registry: Registry[Any],
    kind: str,
    name: str,
    unsaid: Mapping[str, str] | None = None,
) -> None:
    """One flag per field of a defense or attack; the default None means "not given".

    A field whose flag is taken already appears as ``--<kind>-<field>``.

    Args:
        parser: of the command.
        registry: of the dataclass whose fields become flags.
        kind: what it is, ``defense``.
        name: under which it was chosen.
        unsaid: field -> what holds where its flag is not given, for fields whose own default the
            command does not use.

    Raises:
        BadInput: the registry has no such name.
    """
    cls = registry.find(name)
    parser.chosen.append((registry, name))
    group = parser.add_argument_group(f"options of {kind} {name}")
    for field in dataclasses.fields(cls):
        if field.metadata.get("hidden"):
            continue
        flag = "--" + field.name.replace("_", "-")
        if parser.action(flag) is not None:
            flag = f"--{kind}-{field.name.replace('_', '-')}"
        limits = allowed_range(field)
        default = (unsaid or {}).get(field.name, field.default)
        text = f"{field.metadata.get('help', '')} {limits} (default {default})".strip()
        dest = f"{kind}.{field.name}"
        if isinstance(field.default, bool):
            action: Any = argparse.BooleanOptionalAction
            group.add_argument(flag, dest=dest, action=action, default=None, help=text)
        else:
            kind_of = type(field.default) if isinstance(field.default, int | float) else str
            group.add_argument(
                flag,
                dest=dest,
                type=kind_of,
                default=None,
                help=text.replace("%", "%%"),
                metavar=kind_of.__name__.upper(),
            )


def given_options(parsed: argparse.Namespace, kind: str) -> dict[str, Any]:
    """The options of `add_options` that the user gave."""
    start = f"{kind}."
    found = {k.removeprefix(start): v for k, v in vars(parsed).items() if k.startswith(start)}
    return {k: v for k, v in found.items() if v is not None}


def given_flags(argv: Sequence[str]) -> set[str]:
    """Names of the flags in ``argv``, as argparse calls them: ``data_root`` for --data-root."""
    words = (w.split("=")[0] for w in argv if w.startswith("--"))
    return {w.removeprefix("--").replace("-", "_") for w in words}


def line(prog: str, parser: Parser, values: Mapping[str, Any]) -> str:
    """The command line that sets ``values`` (dest -> value); defaults are left out."""
    words = prog.split()
    for action in parser.actions():
        value = values.get(action.dest, action.default)
        if value == action.default:
            continue
        flag = action.option_strings[0]
        if isinstance(action, argparse.BooleanOptionalAction):
            words.append(flag if value else action.option_strings[1])
        elif action.nargs == 0:
            words += [flag] if value == action.const else []
        elif isinstance(value, list | tuple):
            words += [flag, *(str(v) for v in value)]
        else:
            words += [flag, _plain(value)]
    return shlex.join(words)


def _plain(value: Any) -> str:
    """A value as text that reads back the same, as short as that allows: 8 for 8.0."""
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    return str(value)


def chosen_device(choice: str) -> str:
    """``cpu`` or ``cuda`` for ``--device auto|cpu|cuda``.

    Raises:
        BadInput: cuda was asked for and is not there.
    """
    import torch

    if choice == "cuda" and not torch.cuda.is_available():
        raise BadInput("--device cuda: no CUDA device is there; use auto or cpu")
    return ("cuda" if torch.cuda.is_available() else "cpu") if choice == "auto" else choice
