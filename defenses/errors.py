"""What is wrong with what the user gave, in one line."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable

ALIKE = 0.7
"""How alike, of 1, a mistyped name and the one that is proposed are."""


class BadInput(ValueError):
    """What the user gave cannot be used; the message is one line that says what is allowed.

    Commands print the message and leave with exit code 2.
    """


class PassedOver(UserWarning):
    """Something that the user gave is left out; the message is one line that says what and why."""


class TakenAs(PassedOver):
    """Something that the user gave is read in another way than it stands; the message says how."""


def is_refused(act: Callable[..., object], *given: object) -> bool:
    """Whether a call with what is given raises `BadInput`."""
    try:
        act(*given)
    except BadInput:
        return True
    return False


def one_line(error: BaseException, most: int | None = None) -> str:
    """An exception's message on one line; its type where it says nothing.

    Args:
        error: raised by anything.
        most: characters after which the line is cut; None: nowhere.
    """
    return " ".join(str(error).split())[:most] or type(error).__name__


def meant(wrong: str, known: Iterable[str], alike: float = ALIKE) -> str:
    """``did you mean dprs? ``, with the known name that is most like a wrong one; else empty.

    Args:
        wrong: what was typed.
        known: what there is.
        alike: how alike both must be, of 1.
    """
    near = difflib.get_close_matches(wrong, [*known], 1, alike)
    return f"did you mean {near[0]}? " if near else ""
