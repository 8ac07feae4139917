"""What a chart is, and how all of them look."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as PlainFigure
from numpy.typing import NDArray
from torch import Tensor

from reports.estimates import Estimate
from reports.records.images import pixels

MARKERS = "osD^vPX*"
DASHES = ("-", "--", "-.", (0, (4, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (6, 2)), "-", "--")
LINES = len(MARKERS)
"""At most so many lines in one chart."""
SMALL = (4.1, 3.3)
"""Width and height of a chart that shares a line of the page, in inches."""


class Figure(PlainFigure):
    """A figure that a notebook shows by itself: without pyplot nobody else would."""

    def _repr_png_(self) -> bytes:
        """The figure as it is saved."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


@dataclass(frozen=True)
class Theme:
    """The colours of a figure or of a page.

    Attributes:
        ink: the colour of text.
        soft: the colour of axes, and of text that matters less.
        grid: the colour of lines in the background.
        surface: the colour of the background.
        series: tells `LINES` lines apart, for every kind of colour blindness.
    """

    ink: str
    soft: str
    grid: str
    surface: str
    series: tuple[str, ...]


# Okabe and Ito's colours: the pale ones darkened until they are read on white,
PAPER = Theme(
    ink="#1a1d21",
    soft="#5c636b",
    grid="#dfe3e7",
    surface="#ffffff",
    series=(
        "#0072b2", "#d55e00", "#007f5c", "#b0568b", "#2a86bd", "#a87400", "#5c4ab8", "#1a1d21",
    ),
)  # fmt: skip
# and the dark ones made paler until they are read on black.
NIGHT = Theme(
    ink="#e6e9ec",
    soft="#a0a8b0",
    grid="#343a41",
    surface="#1b1f24",
    series=(
        "#56b4e9", "#f58a3c", "#2fc597", "#dd93bd", "#3f9bd8", "#e6b23c", "#a99bf5", "#e6e9ec",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Chart:
    """A figure that can be drawn in any theme.

    Attributes:
        key: unique within the page; letters, digits and hyphens.
        title: one line above the figure.
        alt: what the figure says, in numbers, for those who do not see it.
        draw: makes the figure; called within `drawing`, as `reports.charts.render` does.
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
def drawing(theme: Theme, font: float = 9) -> Iterator[None]:
    """matplotlib's settings while a figure is made or saved; text is never read as mathematics.

    Args:
        theme: the colours.
        font: points of plain text; ticks and legends are a little smaller.
    """
    settings = {
        "svg.fonttype": "none",
        "svg.hashsalt": "leakgauge",
        "pdf.fonttype": 42,  # letters that publishers take: TrueType, not Type 3
        "text.parse_math": False,
        "font.family": "DejaVu Sans",
        "font.size": font,
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
        "xtick.labelsize": 0.94 * font,
        "ytick.labelsize": 0.94 * font,
        "grid.color": theme.grid,
        "grid.linewidth": 0.7,
        "legend.frameon": False,
        "legend.fontsize": 0.89 * font,
        "axes.axisbelow": True,
    }
    with mpl.rc_context(settings):
        yield


def blank(size: tuple[float, float] = SMALL) -> tuple[Figure, Axes]:
    """An empty figure with one pair of axes and a faint grid."""
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    axes.grid(True)
    return figure, axes


def legend(figure: Figure, axes: Axes, columns: int = 3) -> None:
    """Put the legend below the axes, so that it hides no point."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=columns, handlelength=2.6)


def image(axes: Axes, private: Tensor) -> None:
    """Show a (C, H, W) image in [0, 1] pixel by pixel, without axes (see `pixels`)."""
    axes.imshow(pixels(private), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.grid(False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def band(axes: Axes, level: Estimate, theme: Theme, label: str, upright: bool = False) -> None:
    """Draw a level as a dashed line with its interval as a band; nothing when it is not known."""
    if not level.known:
        return
    span, line = (axes.axvspan, axes.axvline) if upright else (axes.axhspan, axes.axhline)
    if level.spread:
        span(level.low, level.high, color=theme.soft, alpha=0.16, lw=0)
    line(level.mean, color=theme.soft, ls="--", lw=1.1, label=label)


def bars(estimates: Sequence[Estimate]) -> NDArray[np.float64]:
    """(2, N) distances from the means to the ends of their intervals; 0 where there is none."""
    low = [e.mean - e.low if e.spread else 0.0 for e in estimates]
    high = [e.high - e.mean if e.spread else 0.0 for e in estimates]
    return np.array([low, high]).clip(min=0)


def frame(axes: Axes, estimates: Sequence[Estimate]) -> None:
    """Set limits that hold what was measured; a bound far outside does not squeeze it."""
    known = [e for e in estimates if e.known]
    if not known:
        return
    low = min(e.low if e.spread else e.mean for e in known)
    high = max(e.high if e.spread else e.mean for e in known)
    room = 0.06 * (high - low) or 0.5
    axes.set_ylim(low - room, high + room)
