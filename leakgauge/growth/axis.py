"""What an axis of growth is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Act = Callable[[], object]
"""What is timed; it may be called again."""


@dataclass(frozen=True)
class Axis:
    """Something that grows, and what is timed beside it.

    Attributes:
        label: what grows, as an axis of the figure has it.
        sizes: how much of it there is.
        measured: what is timed, for the legend.
        floor: what it cannot be faster than, for the legend.
        prepare: makes, of a size and a seed, what is timed; what it does itself is not.
        prepare_floor: the same for the floor.
    """

    label: str
    sizes: tuple[int, ...]
    measured: str
    floor: str
    prepare: Callable[[int, int], Act]
    prepare_floor: Callable[[int, int], Act]
