"""Closeness against the drop rate, with the rates at which equations run out, beside noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.axes import Axes

from reports.charts.chart import LINES, MARKERS, Chart, Figure, Theme
from reports.estimates import Median
from reports.scores import SCORES

Points = tuple[tuple[float, Median], ...]
"""An option's value and the median PSNR there, by rising value."""
LEAST_KEPT = 5e-4
"""Share of coordinates kept at the right end of the axis of rates."""
RATES = (0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
ROOM = 26
"""dB above the highest PSNR, for the names of the layers."""
APART = 0.035
"""Of the axis, at least between two names."""


@dataclass(frozen=True)
class RunOut:
    """A drop rate at which equations run out.

    Attributes:
        label: of what.
        first: the rate at which one value is expected to be missing.
        half: the rate at which half of them are.
    """

    label: str
    first: float
    half: float


@dataclass(frozen=True)
class Victim:
    """One model under masks and under noise.

    Attributes:
        name: of the model.
        masked: PSNR against the drop rate, by the state of the weights.
        noisy: PSNR against the noise multiplier, likewise.
        guess: PSNR of the best guesses without a release.
        layers: where equations run out.
        predicted: drop rate and PSNR that the count expects; empty where it expects none.
    """

    name: str
    masked: Mapping[str, Points]
    noisy: Mapping[str, Points]
    guess: Median
    layers: tuple[RunOut, ...]
    predicted: tuple[tuple[float, float], ...] = ()


def cliff_chart(victims: Sequence[Victim], subtitle: str) -> Chart:
    """A row per model: the share of coordinates dropped, and DP-SGD's noise.

    Args:
        victims: of at most `LINES` states each.
        subtitle: data, images, seeds and attacks, in a line.
    """
    title = "How sparsity protects, and how noise does"
    return Chart(
        "cliff",
        title,
        f"PSNR in dB. {' '.join(map(_told, victims))}",
        partial(_draw, tuple(victims), f"{title}\n{subtitle}"),
        wide=True,
        note="Dashed: the drop rate at which half of a layer's input is expected not to be told "
        "any more, by counting equations; shaded from where one value is missing.",
    )


def _told(victim: Victim) -> str:
    """What a row says, in numbers."""
    parts = [
        f"{m.show()} at {option} {x:g}"
        for option, lines in (("rate", victim.masked), ("noise", victim.noisy))
        for points in lines.values()
        for x, m in points
    ]
    out = [f"{layer.label} at {layer.half:.4g}" for layer in victim.layers]
    return f"{victim.name}: {', '.join(parts)}; equations run out: {', '.join(out)}."


def _draw(victims: tuple[Victim, ...], title: str, theme: Theme) -> Figure:
    height = 0.9 + 2.3 * len(victims)
    figure = Figure(figsize=(7.6, height), layout="constrained")
    rows = figure.subplots(
        len(victims), 2, sharex="col", sharey=True, width_ratios=(5, 2), squeeze=False
    )
    states = list(dict.fromkeys(s for v in victims for s in (*v.masked, *v.noisy)))
    for victim, (left, right) in zip(victims, rows, strict=True):
        _layers(left, victim.layers, theme)
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
        for axes in (left, right):
            axes.axhline(victim.guess.value, color=theme.soft, lw=1.1, label="no release")
            if victim.guess.spread:
                axes.axhspan(
                    victim.guess.low, victim.guess.high, color=theme.soft, alpha=0.14, lw=0
                )
            axes.set_xscale("log")
            axes.grid(True, axis="y")
        left.set_ylabel(f"{victim.name}\n{SCORES['psnr'].title}")
    noises = sorted({x for v in victims for points in v.noisy.values() for x, _ in points})
    for left, right in rows:
        right.set_xticks(noises, [f"{x:g}" for x in noises])
        right.set_xticks([], minor=True)
        left.set_xlim(1.15, LEAST_KEPT * 0.85)
        left.set_xticks([1 - r for r in RATES], [f"{r:g}" for r in RATES])
        left.set_xticks([], minor=True)
        left.set_yticks(range(0, 61, 10))
    rows[0][0].set_ylim(0, SCORES["psnr"].range[1] + ROOM)
    rows[-1][0].set_xlabel("share of coordinates dropped")
    rows[-1][1].set_xlabel("DP-SGD: noise / clipping norm")
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


def _layers(axes: Axes, layers: Sequence[RunOut], theme: Theme) -> None:
    """A dashed line per layer, with its name above the data; names stand apart."""
    top = SCORES["psnr"].range[1] + ROOM
    last = -1.0
    for layer in sorted(layers, key=lambda found: found.half):
        where = max(1 - layer.half, LEAST_KEPT)
        axes.axvspan(max(1 - layer.first, LEAST_KEPT), where, color=theme.soft, alpha=0.1, lw=0)
        axes.axvline(where, color=theme.soft, ls="--", lw=0.8)
        place = last = max(_along(where), last + APART)
        axes.text(
            place,
            (top - 1) / top,
            f"{layer.label} {100 * layer.half:.4g}%",
            transform=axes.transAxes,
            rotation=90,
            ha="right",
            va="top",
            fontsize=5.5,
            color=theme.soft,
        )


def _along(kept: float) -> float:
    """Where a share of coordinates lies along the axis, in [0, 1]."""
    first, last = math.log(1.15), math.log(LEAST_KEPT * 0.85)
    return (math.log(kept) - first) / (last - first)


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
