"""PSNR, SSIM and LPIPS against the rate and against the noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes

from reports.charts.chart import (
    DASHES,
    MARKERS,
    Chart,
    Figure,
    Theme,
    band,
    bars,
    blank,
    frame,
    legend,
)
from reports.charts.lines import Line, lines_along
from reports.estimates import NOTHING, Estimate
from reports.panels.panel import Panel
from reports.panels.setting import Setting
from reports.records.options import name_option, show_option
from reports.scores import SCORES

AXES = {"rate": "share of coordinates dropped", "noise_multiplier": "noise multiplier"}
GUESS = "best guess without the update"
CEILING = "ceiling for unbiased\nestimators only"


def score_charts(panel: Panel) -> Iterator[Chart]:
    """One chart per score and option that takes two values or more."""
    for along, axis in AXES.items():
        lines, left = lines_along(panel.settings, along)
        if not lines:
            continue
        for score, facts in SCORES.items():
            numbers = [_describe(line, along, score) for line in lines]
            if not any(numbers):
                continue
            guess = panel.guess(score)
            name = name_option(along)
            yield Chart(
                f"{panel.anchor}-{score}-{name}",
                f"{facts.label} against the {name}, adaptive attack",
                f"{facts.axis} against {axis}. {' '.join(n for n in numbers if n)} "
                f"{GUESS.capitalize()}: {guess.show(2)}.",
                partial(_draw, panel, lines, along, score),
                note=f"Lines left out: {left}." if left else "",
            )


def _describe(line: Line, along: str, score: str) -> str:
    """A line's numbers in words."""
    found = [(s.option(along), s.estimate("adaptive", score)) for s in line.settings]
    known = [f"{e.show(2)} at {show_option(x)}" for x, e in found if x is not None and e.known]
    return f"{line.label}: {', '.join(known)}." if known else ""


def _draw(panel: Panel, lines: Sequence[Line], along: str, score: str, theme: Theme) -> Figure:
    places = sorted({s.option(along) or 0.0 for line in lines for s in line.settings})
    figure, axes = blank()
    seen = [panel.guess(score)]
    band(axes, panel.guess(score), theme, GUESS)
    ceilings = False
    for index, line in enumerate(lines):
        found = [(s, s.estimate("adaptive", score)) for s in line.settings]
        shown = [(s, e) for s, e in found if e.known]
        if not shown:
            continue
        x = [float(places.index(s.option(along) or 0.0)) for s, _ in shown]
        estimates = [e for _, e in shown]
        seen += estimates
        _draw_line(axes, x, estimates, [s for s, _ in shown], line.label, index, theme)
        if score == "psnr":
            ceilings |= _draw_ceiling(axes, x, [s for s, _ in shown], theme.series[index])
    if ceilings:
        axes.plot([], [], ls=":", lw=1.2, color=theme.soft, label=CEILING)
    seen.append(_draw_undefended(axes, panel, score, theme))
    axes.set_xticks(range(len(places)), [f"{v:g}" for v in places])
    axes.set_xlabel(AXES[along])
    axes.set_ylabel(SCORES[score].axis)
    frame(axes, seen)
    legend(figure, axes, 2)
    return figure


def _draw_line(
    axes: Axes,
    x: list[float],
    estimates: list[Estimate],
    settings: list[Setting],
    label: str,
    index: int,
    theme: Theme,
) -> None:
    """Draw a line with its band; its points lead to the settings' rows."""
    means = [e.mean for e in estimates]
    down, up = bars(estimates)
    colour = theme.series[index]
    mark = MARKERS[index]
    axes.plot(x, means, ls=DASHES[index], lw=1.5, ms=5, label=label, color=colour, marker=mark)
    axes.fill_between(x, means - down, means + up, color=colour, alpha=0.11, lw=0)
    dots = axes.scatter(x, means, s=30, zorder=3, color=colour, marker=mark)
    dots.set_urls([f"#{s.anchor}" for s in settings])


def _draw_ceiling(axes: Axes, x: list[float], settings: list[Setting], colour: str) -> bool:
    """Draw the PSNR that no unbiased estimator exceeds on average; return whether any is known."""
    found = [s.estimate("adaptive", "fisher_psnr").mean for s in settings]
    axes.plot(x, found, color=colour, ls=":", lw=1.2)
    return bool(np.isfinite(found).any())


def _draw_undefended(axes: Axes, panel: Panel, score: str, theme: Theme) -> Estimate:
    """Draw what the attack reaches without a defense, as a level to compare with; return it."""
    for setting in panel.settings:
        found = setting.estimate("adaptive", score)
        if not setting.defended and found.known:
            axes.axhline(found.mean, color=theme.ink, ls=(0, (1, 2)), lw=1.2, label="no defense")
            return found
    return NOTHING
