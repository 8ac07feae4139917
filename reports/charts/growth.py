"""Time and memory against what grows, each beside its floor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from matplotlib.axes import Axes

from reports.charts.chart import DASHES, MARKERS, Chart, Figure, Theme
from reports.panels.labels import fold

ACROSS = 2
"""Things that grow in a line of the figure; each has two panels."""
QUANTITIES = ("seconds", "MB")
NAMES = ("leakgauge", "floor")
NARROW = 30
"""Letters in a line of a panel's texts."""


@dataclass(frozen=True)
class Line:
    """What one program took.

    Attributes:
        label: the program's name.
        sizes: of what grows, rising.
        seconds: the least, the median and the most, at each size.
        megabytes: the peak at each size; None where it is not known.
    """

    label: str
    sizes: Sequence[int]
    seconds: Sequence[tuple[float, float, float]]
    megabytes: Sequence[float | None]


@dataclass(frozen=True)
class Growing:
    """One thing that grows.

    Attributes:
        label: of the axis.
        own: of leakgauge.
        floor: what it cannot be faster than.
    """

    label: str
    own: Line
    floor: Line


def growth_chart(found: Sequence[Growing]) -> Chart:
    """Two panels for each thing that grows: seconds, and peak memory.

    Args:
        found: at least one.
    """
    numbers = "; ".join(
        f"{line.label} at {line.sizes[-1]:,} {one.label}: {line.seconds[-1][1]:.3g} s"
        for one in found
        for line in (one.own, one.floor)
    )
    return Chart(
        "growth",
        "What time and memory grow with",
        numbers,
        partial(_draw, found),
        wide=True,
        note="Bars: the least and the most of the repeats. Both axes are logarithmic.",
    )


def _draw(found: Sequence[Growing], theme: Theme) -> Figure:
    rows = -(-len(found) // ACROSS)
    figure = Figure(figsize=(10.2, 2.7 * rows + 0.4), layout="constrained")
    grid = figure.subplots(rows, 2 * ACROSS, squeeze=False).ravel()
    for axes in grid[2 * len(found) :]:
        axes.set_visible(False)
    for turn, one in enumerate(found):
        for which, quantity in enumerate(QUANTITIES):
            axes = grid[2 * turn + which]
            for place, line in enumerate((one.own, one.floor)):
                _draw_line(axes, line, quantity, place, theme)
            if len(one.own.sizes) > 1:
                axes.set_xscale("log")
            axes.set_xticks(one.own.sizes, [_short(size) for size in one.own.sizes])
            axes.set_xticks([], minor=True)
            axes.set_xlabel(fold(one.label, NARROW))
            axes.set_ylabel(quantity)
            axes.grid(True)
        title = f"{fold(one.own.label, NARROW)}\n(floor: {one.floor.label})"
        grid[2 * turn].set_title(title, fontsize=7.5, loc="left")
    lines = grid[0].get_legend_handles_labels()[0]
    figure.legend(lines, NAMES, loc="outside lower center", ncols=2)
    return figure


def _draw_line(axes: Axes, line: Line, quantity: str, place: int, theme: Theme) -> None:
    """One program's seconds with their range, or its memory."""
    style: dict[str, Any] = {
        "color": theme.series[place],
        "ls": DASHES[place],
        "marker": MARKERS[place],
    }
    if quantity == QUANTITIES[0]:
        middle = [median for _, median, _ in line.seconds]
        reach = [[m - low for low, m, _ in line.seconds], [high - m for _, m, high in line.seconds]]
        axes.errorbar(line.sizes, middle, yerr=reach, lw=1.3, ms=4, label=NAMES[place], **style)
        _label_plainly(axes)
        return
    known = [(s, m) for s, m in zip(line.sizes, line.megabytes, strict=True) if m]
    if known:
        axes.plot(*zip(*known, strict=True), lw=1.3, ms=4, **style)
        _label_plainly(axes)


def _label_plainly(axes: Axes) -> None:
    """A logarithmic axis whose ticks are plain numbers."""
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter(lambda value, _: "")


def _short(size: int) -> str:
    """Such as ``10k`` and ``100M``."""
    for unit, letter in ((10**6, "M"), (10**3, "k")):
        if size >= unit and size % unit == 0:
            return f"{size // unit}{letter}"
    return str(size)
