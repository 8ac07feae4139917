"""Chooses some of many, spread evenly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def evenly(found: Sequence[T], count: int) -> list[T]:
    """At most ``count`` of them, evenly spread, both ends among them."""
    if len(found) <= count:
        return list(found)
    places = np.unique(np.linspace(0, len(found) - 1, count).round().astype(int))
    return [found[i] for i in places]
