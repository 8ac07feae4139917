"""What an exception says, where a line is all the room there is."""

from __future__ import annotations


def one_line(error: BaseException, most: int | None = None) -> str:
    """An exception's message on one line; its type where it says nothing.

    Args:
        error: raised by anything.
        most: characters after which the line is cut; None: nowhere.
    """
    return " ".join(str(error).split())[:most] or type(error).__name__
