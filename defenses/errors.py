"""What is wrong with what the user gave, in one line."""

from __future__ import annotations


class BadInput(ValueError):
    """What the user gave cannot be used; the message is one line that says what is allowed.

    Commands print the message and leave with exit code 2.
    """


class PassedOver(UserWarning):
    """Something that the user gave is left out; the message is one line that says what and why."""


def one_line(error: BaseException, most: int | None = None) -> str:
    """An exception's message on one line; its type where it says nothing.

    Args:
        error: raised by anything.
        most: characters after which the line is cut; None: nowhere.
    """
    return " ".join(str(error).split())[:most] or type(error).__name__
