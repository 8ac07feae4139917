"""What a chart is, and how all of them look."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from reports.estimates import Estimate

MARKERS = "osD^vPX*"
DASHES = ("-", "--", "-.", (0, (4, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (6, 2)), "-", "--")
LINES = len(MARKERS)
"""At most so many lines in one chart."""
SMALL = (4.1, 3.3)
"""Inches."""


@dataclass(frozen=True)
class Theme:
    """Colours; ``series`` tells lines apart, for every kind of colour blindness."""

    ink: str
    soft: str
    grid: str
    surface: str
    series: tuple[str, ...]


# Okabe and Ito's colours, the pale ones darkened until they are read on white.
PAPER = Theme(
    "#1a1d21",
    "#5c636b",
    "#dfe3e7",
    "#ffffff",
    ("#0072b2", "#d55e00", "#007f5c", "#b0568b", "#2a86bd", "#a87400", "#5c4ab8", "#1a1d21"),
)


@dataclass(frozen=True)
class Chart:
    """A figure that can be drawn in any theme.

    Attributes:
        key: unique within the page; letters, digits and hyphens.
        title: one line above the figure.
        alt: what the figure says, in numbers, for those who do not see it.
        draw: makes the figure.
        wide: whether it needs a full line of the page.
        note: small print below; may be empty.
    """

    key: str
    title: str
    alt: str
    draw: Callable[[Theme], Figure]
    wide: bool = False
    note: str = ""


@contextmanager
def drawing(theme: Theme) -> Iterator[None]:
    """matplotlib's settings while a figure is made or saved; text is never read as mathematics."""
    settings = {
        "svg.fonttype": "none",
        "svg.hashsalt": "leakgauge",
        "text.parse_math": False,
        "font.family": "DejaVu Sans",
        "font.size": 9,
        "text.color": theme.ink,
        "axes.edgecolor": theme.soft,
        "axes.labelcolor": theme.ink,
        "axes.linewidth": 0.7,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.color": theme.soft,
        "ytick.color": theme.soft,
        "xtick.labelcolor": theme.ink,
        "ytick.labelcolor": theme.ink,
        "xtick.labelsize": 8.5,
        "ytick.labelsize": 8.5,
        "grid.color": theme.grid,
        "grid.linewidth": 0.7,
        "legend.frameon": False,
        "legend.fontsize": 8,
        "axes.axisbelow": True,
    }
    with mpl.rc_context(settings):
        yield


def blank(size: tuple[float, float] = SMALL) -> tuple[Figure, Axes]:
    """An empty figure with one pair of axes and a faint grid."""
    figure = Figure(figsize=size, layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    axes.grid(True)
    return figure, axes


def legend(figure: Figure, axes: Axes, columns: int = 3) -> None:
    """Below the axes, so that it hides no point."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=columns, handlelength=2.6)


def band(axes: Axes, found: Estimate, theme: Theme, label: str, upright: bool = False) -> None:
    """The prior: a dashed line with its interval as a band; nothing when it is not known."""
    if not found.known:
        return
    span, line = (axes.axvspan, axes.axvline) if upright else (axes.axhspan, axes.axhline)
    if found.spread:
        span(found.low, found.high, color=theme.soft, alpha=0.16, lw=0)
    line(found.mean, color=theme.soft, ls="--", lw=1.1, label=label)


def bars(found: list[Estimate]) -> NDArray[np.float64]:
    """(2, N) distances from the means to the ends of the intervals; 0 where there is none."""
    low = [e.mean - e.low if e.spread else 0.0 for e in found]
    high = [e.high - e.mean if e.spread else 0.0 for e in found]
    return np.array([low, high]).clip(min=0)


def frame(axes: Axes, found: list[Estimate]) -> None:
    """Limits that hold what was measured; a bound far outside does not squeeze it."""
    known = [e for e in found if e.known]
    if not known:
        return
    low = min(e.low if e.spread else e.mean for e in known)
    high = max(e.high if e.spread else e.mean for e in known)
    room = 0.06 * (high - low) or 0.5
    axes.set_ylim(low - room, high + room)
