"""Lines where equations run out along an axis of drop rates, with the names of their layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from reports.charts.chart import Theme

LEAST_KEPT = 5e-4
"""Share of coordinates kept at the right end of the axis of rates."""
NAMES = 5.5
"""Points, of the names of layers; a character is about half as wide."""
SAME = 0.002
"""Rates no further apart are one."""
APART = 0.024
"""Of the axis, at least between two names."""


@dataclass(frozen=True)
class RunOut:
    """A drop rate at which equations run out.

    Attributes:
        label: name of the layer, or of the whole update, whose equations they are.
        first: the rate at which one value is expected to be missing.
        half: the rate at which half of them are.
    """

    label: str
    first: float
    half: float


def inches_above(layers: Sequence[RunOut], cliff: RunOut) -> float:
    """Inches above a row for the names of its layers, which are written upwards."""
    pairs = _lines_of(layers, cliff)
    longest = max(len(_name(found, span=bold)) for found, bold in pairs)
    return 0.15 + longest * NAMES * 0.48 / 72


def draw_run_outs(
    axes: Axes, above: Axes, layers: Sequence[RunOut], cliff: RunOut, theme: Theme
) -> None:
    """A line per layer, with its name above the panel; names stand apart, and lines lead there."""
    found = _lines_of(layers, cliff)
    axes.axvspan(
        max(1 - cliff.first, LEAST_KEPT),
        max(1 - cliff.half, LEAST_KEPT),
        color=theme.soft,
        alpha=0.18,
        lw=0,
    )
    wheres = [max(1 - layer.half, LEAST_KEPT) for layer, _ in found]
    places = _apart([_along(where) for where in wheres])
    for (layer, bold), where, place in zip(found, wheres, places, strict=True):
        colour = theme.ink if bold else theme.soft
        axes.axvline(where, lw=1.2 if bold else 0.8, ls="--" if bold else ":", color=colour)
        ends = [_along(where), place], [0, 0.12]
        above.plot(*ends, transform=above.transAxes, lw=0.5, color=colour, clip_on=False)
        above.text(
            place,
            0.14,
            _name(layer, span=bold),
            transform=above.transAxes,
            rotation=90,
            ha="center",
            va="bottom",
            fontsize=NAMES,
            color=colour,
        )


def _along(kept: float) -> float:
    """Where a share of coordinates lies along the axis, in [0, 1]."""
    first, last = math.log(1.15), math.log(LEAST_KEPT * 0.85)
    return (math.log(kept) - first) / (last - first)


def _lines_of(layers: Sequence[RunOut], cliff: RunOut) -> list[tuple[RunOut, bool]]:
    """The layers by rising rate, and whether each is the cliff, which stands for its own layer."""
    others = [(one, False) for one in layers if abs(one.half - cliff.half) > SAME]
    return sorted([*others, (cliff, True)], key=lambda pair: pair[0].half)


def _name(found: RunOut, *, span: bool) -> str:
    """``layer 1.1 99.5%``; with where it begins, too."""
    first, half = 100 * found.first, 100 * found.half
    return f"{found.label} {f'{first:.1f}-' if span and half - first > 0.1 else ''}{half:.1f}%"


def _apart(places: Sequence[float]) -> list[float]:
    """Rising places, moved to the right until none is too near, and back from the end."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + APART) if moved else place)
    over = 1.0
    for k in reversed(range(len(moved))):
        moved[k] = over = min(moved[k], over)
        over -= APART
    return moved
