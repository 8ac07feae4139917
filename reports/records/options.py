"""Options of a defense as Records hold them, and as people read them."""

from __future__ import annotations

import math

Option = float | int | bool | str
"""A number, a switch or a text."""
RATE, NOISE, CLIP = "rate", "noise_multiplier", "clip"
MAIN = (RATE, NOISE, CLIP)
"""Options that people ask for first: numbers, whatever the defense, in the order of their names."""
SHORT = {NOISE: "noise"}
LONGEST = 24
"""Characters of an option that is text."""


def option_place(name: str) -> tuple[int, str]:
    """Sorts options: those that people ask for first, then by name."""
    return (MAIN.index(name) if name in MAIN else len(MAIN), name)


def name_option(name: str) -> str:
    """``noise`` for ``noise_multiplier``; others with spaces."""
    return SHORT.get(name, name.replace("_", " "))


def show_option(value: Option, digits: int = 4) -> str:
    """``0.9``, ``on``, ``off``, or the text itself, cut where it is long."""
    if isinstance(value, str):
        return value if 0 < len(value) <= LONGEST else f"{value[: LONGEST - 1]}…" if value else "-"
    return ("on" if value else "off") if isinstance(value, bool) else f"{value:.{digits}g}"


def same_option(one: Option, other: Option) -> bool:
    """Whether two values are one, up to the rounding of numbers."""
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return math.isclose(one, other, rel_tol=1e-6)
