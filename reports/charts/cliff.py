"""Closeness against the drop rate, with the rate at which equations run out, beside noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.charts.chart import LINES, MARKERS, Chart, Theme, bars, legend
from reports.estimates import Estimate
from reports.scores import SCORES

Points = tuple[tuple[float, Estimate], ...]
"""An option's value and the mean PSNR there, by rising value."""
LEAST_KEPT = 5e-4
"""Share of coordinates kept at the right end of the axis of rates."""
RATES = (0, 0.5, 0.9, 0.99, 0.999)


@dataclass(frozen=True)
class Victim:
    """One model under masks and under noise.

    Attributes:
        name: in the legend.
        masked: PSNR against the drop rate.
        noisy: PSNR against the noise multiplier.
        cliff: the drop rate at which its equations run out.
    """

    name: str
    masked: Points
    noisy: Points
    cliff: float


def cliff_chart(victims: Sequence[Victim], guess: Estimate, subtitle: str) -> Chart:
    """Two panels: the share of coordinates dropped, and DP-SGD's noise.

    Args:
        victims: at most `LINES`.
        guess: PSNR of the best guesses without a release.
        subtitle: data, images, seeds and attacks, in a line.
    """
    told = [
        f"{v.name}: {', '.join(f'{e.show()} at rate {x:g}' for x, e in v.masked)}, "
        f"equations run out at {v.cliff:.4g}; "
        f"{', '.join(f'{e.show()} at noise {x:g}' for x, e in v.noisy)}"
        for v in victims
    ]
    title = "How sparsity protects, and how noise does"
    return Chart(
        "cliff",
        title,
        f"PSNR in dB. {'. '.join(told)}.",
        partial(_draw, tuple(victims), guess, f"{title}\n{subtitle}"),
        wide=True,
        note="Dashed: the drop rate at which the model's equations run out, by counting.",
    )


def _draw(victims: tuple[Victim, ...], guess: Estimate, title: str, theme: Theme) -> Figure:
    figure = Figure(figsize=(7.6, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for turn, victim in enumerate(victims):
        colour, marker = theme.series[turn % LINES], MARKERS[turn % LINES]
        kept = tuple((max(1 - rate, LEAST_KEPT), mean) for rate, mean in victim.masked)
        _line(left, kept, victim.name, colour, marker)
        _line(right, victim.noisy, victim.name, colour, marker)
        left.axvline(max(1 - victim.cliff, LEAST_KEPT), color=colour, ls="--", lw=1)
    for axes in (left, right):
        axes.axhline(guess.mean, color=theme.soft, lw=1, ls=":", label="no release")
        axes.set_xscale("log")
        axes.grid(True)
    left.invert_xaxis()
    left.set_xticks([1 - r for r in RATES], [f"{r:g}" for r in RATES])
    left.set_xticks([], minor=True)
    left.set_xlabel("share of coordinates dropped (dashed: equations run out)")
    right.set_xlabel("DP-SGD's noise over the clipping norm")
    left.set_ylabel(SCORES["psnr"].axis)
    legend(figure, left, 5)
    figure.suptitle(title, fontsize=9.5)
    return figure


def _line(axes: Axes, points: Points, name: str, colour: str, marker: str) -> None:
    if not points:
        return
    found = [mean for _, mean in points]
    axes.errorbar(
        [x for x, _ in points],
        [mean.mean for mean in found],
        yerr=bars(found),
        label=name,
        lw=1.6,
        color=colour,
        marker=marker,
        ms=4,
        capsize=2,
        elinewidth=0.8,
    )
