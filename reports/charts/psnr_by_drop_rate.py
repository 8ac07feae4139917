"""Closeness against the drop rate, with the rates at which equations run out, beside noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.axes import Axes
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from reports.charts.chart import LINES, MARKERS, Chart, Figure, Theme
from reports.charts.run_outs import LEAST_KEPT, RunOut, draw_run_outs, inches_above
from reports.estimates import Median
from reports.scores import SCORES

Points = tuple[tuple[float, Median], ...]
"""An option's value and the median PSNR there, by rising value."""
RATES = (0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)


@dataclass(frozen=True)
class Victim:
    """One model under masks and under noise.

    Attributes:
        name: of the model.
        masked: PSNR against the drop rate, by the state of the weights.
        noisy: PSNR against the noise multiplier, by the state of the weights.
        guess: PSNR of the best guesses without a release.
        layers: where equations run out.
        cliff: the same of the picture, by the layer that says as much, or by the whole update.
        predicted: drop rate and PSNR that the count expects; empty where it expects none.
    """

    name: str
    masked: Mapping[str, Points]
    noisy: Mapping[str, Points]
    guess: Median
    layers: tuple[RunOut, ...]
    cliff: RunOut
    predicted: tuple[tuple[float, float], ...] = ()


def drop_rate_chart(victims: Sequence[Victim], subtitle: str) -> Chart:
    """A row per model: the share of coordinates dropped, and DP-SGD's noise.

    Args:
        victims: of at most `LINES` states each.
        subtitle: data, images, seeds and attacks, in a line.
    """
    title = "How sparsity protects, and how noise does"
    return Chart(
        "cliff",
        title,
        f"PSNR in dB. {' '.join(map(_describe, victims))}",
        partial(_draw, tuple(victims), f"{title}\n{subtitle}"),
        wide=True,
        note="Dotted: the drop rate at which half of a layer's input is expected not to be told, "
        "by counting equations. Dashed: the same of the layer that says as much as the picture, "
        "shaded from where one value is missing; of the whole update where there is none.",
    )


def _describe(victim: Victim) -> str:
    """What a row says, in numbers."""
    parts = [
        f"{m.show()} at {option} {x:g}"
        for option, lines in (("rate", victim.masked), ("noise", victim.noisy))
        for points in lines.values()
        for x, m in points
    ]
    out = [f"{found.label} at {found.half:.4g}" for found in (*victim.layers, victim.cliff)]
    return f"{victim.name}: {', '.join(parts)}; equations run out: {', '.join(out)}."


def _draw(victims: tuple[Victim, ...], title: str, theme: Theme) -> Figure:
    strips = [inches_above(victim.layers, victim.cliff) for victim in victims]
    heights = [inches for strip in strips for inches in (strip, 1.75)]
    figure = Figure(figsize=(7.6, 1.1 + sum(heights)), layout=ConstrainedLayoutEngine(h_pad=0.02))
    grid = figure.subplots(
        len(heights), 2, sharex="col", width_ratios=(5, 2.4), height_ratios=heights, squeeze=False
    )
    names, rows = grid[::2], grid[1::2]
    states = list(dict.fromkeys(s for v in victims for s in (*v.masked, *v.noisy)))
    for victim, (left, right), strip in zip(victims, rows, names, strict=True):
        for axes in strip:
            axes.set_axis_off()
        if not victim.noisy:
            right.set_axis_off()
        for axes in (left, right) if victim.noisy else (left,):
            _frame(axes, victim.guess, theme)
        right.tick_params(labelleft=False)
        draw_run_outs(left, strip[0], victim.layers, victim.cliff, theme)
        _row(left, right, victim, states, theme)
        left.set_ylabel(f"{victim.name}\n{SCORES['psnr'].title}")
    # The axis is logarithmic: no noise at all is the other column's first point.
    every = {x for v in victims for points in v.noisy.values() for x, _ in points}
    noises = sorted(every - {0.0})
    for left, right in rows:
        _rate_axis(left)
        _noise_axis(right, noises)
    rows[-1][0].set_xlabel("share of coordinates dropped")
    noisy = [right for victim, (_, right) in zip(victims, rows, strict=True) if victim.noisy]
    if noisy:
        noisy[-1].tick_params(labelbottom=True)
        noisy[-1].set_xlabel("DP-SGD: noise / clipping norm")
    entries = {
        label: handle
        for row in rows
        for axes in row
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        entries.values(), entries.keys(), loc="outside lower center", ncols=4, handlelength=2.4
    )
    figure.suptitle(title, fontsize=9.5)
    return figure


def _frame(axes: Axes, guess: Median, theme: Theme) -> None:
    """The axis of PSNR, and what is reached without a release."""
    axes.axhline(guess.value, color=theme.soft, lw=1.1, label="no release")
    if guess.spread:
        axes.axhspan(guess.low, guess.high, color=theme.soft, alpha=0.14, lw=0)
    axes.set_xscale("log")
    axes.set_autoscalex_on(False)  # of one point it would make no axis, and warn
    axes.grid(True, axis="y")
    axes.set_yticks(range(0, 61, 10))
    axes.set_ylim(0, SCORES["psnr"].range[1] + 3)


def _row(left: Axes, right: Axes, victim: Victim, states: Sequence[str], theme: Theme) -> None:
    """One model's lines: what was measured at each state of the weights, and what is predicted."""
    for state in states:
        turn = states.index(state) % LINES
        look = theme.series[turn], MARKERS[turn], state
        kept = [(max(1 - rate, LEAST_KEPT), m) for rate, m in victim.masked.get(state, ())]
        _line(left, kept, *look)
        _line(right, victim.noisy.get(state, ()), *look)
    if victim.predicted:
        left.plot(
            [max(1 - rate, LEAST_KEPT) for rate, _ in victim.predicted],
            [psnr for _, psnr in victim.predicted],
            color=theme.ink,
            lw=1,
            ls=(0, (1, 1.5)),
            label="pixels expected to be told, others guessed",
        )


def _rate_axis(axes: Axes) -> None:
    axes.set_xlim(1.15, LEAST_KEPT * 0.85)
    axes.set_xticks([1 - r for r in RATES], [f"{r:g}" for r in RATES])
    axes.set_xticks([], minor=True)


def _noise_axis(axes: Axes, noises: Sequence[float]) -> None:
    if noises:
        axes.set_xlim(min(noises) / 2, max(noises) * 2)
    axes.xaxis.set_major_locator(FixedLocator(noises))
    axes.xaxis.set_major_formatter(FixedFormatter([_power(x) for x in noises]))
    axes.xaxis.set_minor_locator(NullLocator())


def _power(value: float) -> str:
    """``1e-4`` for a small power of ten, another value as it is."""
    exponent = round(math.log10(value)) if value > 0 else 0
    return f"1e{exponent}" if exponent < -1 and value == float(f"1e{exponent}") else f"{value:g}"


def _line(
    axes: Axes, points: Sequence[tuple[float, Median]], colour: str, marker: str, label: str
) -> None:
    if not points:
        return
    medians = [m for _, m in points]
    low = [m.value - m.low if m.spread else 0.0 for m in medians]
    high = [m.high - m.value if m.spread else 0.0 for m in medians]
    axes.errorbar(
        [x for x, _ in points],
        [m.value for m in medians],
        yerr=[low, high],
        label=label,
        lw=1.6,
        color=colour,
        marker=marker,
        ms=4,
        capsize=2,
        elinewidth=0.8,
    )
