"""How many of a thing there are, for people."""

from __future__ import annotations


def count_of(number: int, thing: str, things: str = "") -> str:
    """``1 setting``, ``2 settings``: so many things, for people.

    Args:
        number: of the things.
        thing: what one is called.
        things: what several are called, where that is not one more ``s``.
    """
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"
