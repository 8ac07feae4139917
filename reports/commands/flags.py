"""Command-line flags made from dataclass fields, and errors that take one line."""

from __future__ import annotations

import argparse
import dataclasses
import io
import shlex
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from defenses import BadInput
from defenses.errors import one_line
from defenses.registry import PassedOver, allowed_range


class Parser(argparse.ArgumentParser):
    """argparse, saying what is wrong in one line with exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Print the message without the usage text and leave with 2."""
        self.exit(2, f"{self.prog}: {message}\n")


def add_options(parser: argparse.ArgumentParser, cls: type[Any], kind: str, name: str) -> None:
    """One flag per field of a defense or attack; the default None means "not given".

    A field whose flag is taken already appears as ``--<kind>-<field>``.
    """
    group = parser.add_argument_group(f"options of {kind} {name}")
    for field in dataclasses.fields(cls):
        if field.metadata.get("hidden"):
            continue
        flag = "--" + field.name.replace("_", "-")
        if flag in parser._option_string_actions:
            flag = f"--{kind}-{field.name.replace('_', '-')}"
        limits = allowed_range(field)
        text = f"{field.metadata.get('help', '')} {limits} (default {field.default})".strip()
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


def line(prog: str, parser: argparse.ArgumentParser, values: Mapping[str, Any]) -> str:
    """The command line that sets ``values`` (dest -> value); defaults are left out."""
    words = prog.split()
    for action in parser._actions:
        value = values.get(action.dest, action.default)
        if value == action.default or not action.option_strings:
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


def command(main: Callable[[Sequence[str] | None], int], prog: str) -> NoReturn:
    """Run an entry point: 0 done, 1 failed while running, 2 bad input, each in one line.

    A warning of ours takes one line on stderr too, once, without the place in the code.
    """
    plain = warnings.formatwarning
    said: set[str] = set()

    def brief(message: Any, category: type[Warning], *place: Any, **more: Any) -> str:
        if issubclass(category, PassedOver):
            text = f"{prog}: warning: {' '.join(str(message).split())}\n"
            if text in said:  # a folder is read for its digest, for each split and by each piece
                return ""
            said.add(text)
            return text
        return plain(message, category, *place, **more)

    warnings.formatwarning = brief
    if isinstance(sys.stdout, io.TextIOWrapper):  # a path need not be text
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = main(None)
    except BadInput as error:
        print(f"{prog}: {one_line(error)}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print(
            f"\n{prog}: interrupted; finished pieces are kept, the same command resumes",
            file=sys.stderr,
        )
        code = 1
    except OSError as error:
        print(f"{prog}: {error}", file=sys.stderr)
        code = 1
    sys.exit(code)
