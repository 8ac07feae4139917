"""Builds a command's parser once for many command lines, where a sweep reads thousands of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps

from reports.commands.flags import Parser

CHOOSING = ("--defense", "--attack", "--method")
"""Flags that settle which others there are."""
Make = Callable[[Sequence[str] | None], Parser]

_kept: ContextVar[dict[tuple[str, ...], Parser] | None] = ContextVar("kept", default=None)


@contextmanager
def parsers_kept() -> Iterator[None]:
    """While this lasts, functions under `once_per_choice` build one parser for each choice.

    Not beyond it, for in between a defense or an attack may be registered, or be another one.
    """
    token = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(token)


def once_per_choice(make: Make) -> Make:
    """The same function of a command line, whose parser depends on `CHOOSING` alone."""

    @wraps(make)
    def parser(argv: Sequence[str] | None) -> Parser:
        kept = _kept.get()
        if kept is None or argv is None:
            return make(argv)
        key = (make.__module__, *choice(argv))
        if key not in kept:
            kept[key] = make(argv)
        return kept[key]

    return parser


def choice(argv: Sequence[str]) -> tuple[str, ...]:
    """The words of a command line that choose, each flag with its value: ``--attack=peel``."""
    found = {}
    for place, word in enumerate(argv):
        flag, given, value = word.partition("=")
        if flag in CHOOSING:
            found[flag] = value if given else "".join(argv[place + 1 : place + 2])
    return tuple(f"{flag}={found[flag]}" for flag in CHOOSING if flag in found)
