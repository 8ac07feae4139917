"""Answers ``--help`` and a mistyped flag, name or range before torch is imported."""

from __future__ import annotations

import dataclasses
import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from typing import Any

from leakgauge.inert import Refused, inert_libraries
from leakgauge.rooms import ROOMS

KINDS = {"defense": "defenses", "attack": "attacks.invert", "method": "victims.transfer"}
"""What a flag chooses whose options are flags themselves -> the room that knows the names."""


def glance(flags: str, prog: str, words: list[str]) -> int | None:
    """Print what a command answers to its words where that takes no computation.

    Args:
        flags: ``module:function`` that reads the flags of the command, given the words.
        prog: the command as it was typed, for messages.
        words: after it.

    Returns:
        The exit code, after the answer was printed; None where the command has to be run, or
        where the words name code of the user's own, which is imported once and for real.
    """
    if "torch" in sys.modules or any(":" in w and not w.startswith("folder:") for w in words):
        return None
    out, err = io.StringIO(), io.StringIO()
    code: int | None = None
    try:
        with inert_libraries(("leakgauge", *ROOMS)), redirect_stdout(out), redirect_stderr(err):
            try:
                _refuse_options(load(flags)(words))
            except SystemExit as left:
                code = left.code if isinstance(left.code, int) else 1
            except ValueError as error:
                if type(error).__name__ != "BadInput" or isinstance(error.__cause__, Refused):
                    return None
                print(f"{prog}: {' '.join(str(error).split())}", file=err)
                code = 2
    except Exception:  # whatever cannot be told at a glance is told by the command itself
        return None
    sys.stdout.write(out.getvalue())
    sys.stderr.write(err.getvalue())
    return code


def load(spec: str) -> Any:
    """What ``module:function`` names in a room, found as `leakgauge.rooms` finds it."""
    module, _, name = spec.partition(":")
    inside = module if module.partition(".")[0] == "leakgauge" else f"leakgauge.{module}"
    return getattr(import_module(inside), name)


def _refuse_options(parsed: Any) -> None:
    """Raise BadInput for an option outside its range, which the field alone can tell."""
    options = import_module("leakgauge.defenses.options")
    flags = import_module("leakgauge.reports.commands.flags")
    for kind, room in KINDS.items():
        given = flags.given_options(parsed, kind)
        if not given:
            continue
        cls = import_module(f"leakgauge.{room}").registry.find(getattr(parsed, kind))
        tried = object.__new__(cls)  # not made: that may compute
        for field in dataclasses.fields(cls):
            value = given.get(field.name, field.default)
            object.__setattr__(tried, field.name, value)
        options.check_options(tried)
