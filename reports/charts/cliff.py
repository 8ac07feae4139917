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
from reports.estimates import Median
from reports.scores import SCORES

Points = tuple[tuple[float, Median], ...]
"""An option's value and the median PSNR there, by rising value."""
LEAST_KEPT = 5e-4
"""Share of coordinates kept at the right end of the axis of rates."""
RATES = (0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
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
        note="Dotted: the drop rate at which half of a layer's input is expected not to be told, "
        "by counting equations. Dashed: the same of the layer that says as much as the picture, "
        "shaded from where one value is missing; of the whole update where there is none.",
    )


def _told(victim: Victim) -> str:
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
    strips = [_room(victim) for victim in victims]
    heights = [inches for strip in strips for inches in (strip, 1.75)]
    figure = Figure(figsize=(7.6, 1.1 + sum(heights)), layout=ConstrainedLayoutEngine(h_pad=0.02))
    grid = figure.subplots(
        len(heights), 2, sharex="col", width_ratios=(5, 2.4), height_ratios=heights, squeeze=False
    )
    names, rows = grid[::2], grid[1::2]
    states = list(dict.fromkeys(s for v in victims for s in (*v.masked, *v.noisy)))
    for victim, (left, right), (above, beside) in zip(victims, rows, names, strict=True):
        for strip in (above, beside):
            strip.set_axis_off()
        if not victim.noisy:
            right.set_axis_off()
        for axes in (left, right) if victim.noisy else (left,):
            axes.axhline(victim.guess.value, color=theme.soft, lw=1.1, label="no release")
            if victim.guess.spread:
                axes.axhspan(
                    victim.guess.low, victim.guess.high, color=theme.soft, alpha=0.14, lw=0
                )
            axes.set_xscale("log")
            axes.set_autoscalex_on(False)  # of one point it would make no axis, and warn
            axes.grid(True, axis="y")
            axes.set_yticks(range(0, 61, 10))
            axes.set_ylim(0, SCORES["psnr"].range[1] + 3)
        right.tick_params(labelleft=False)
        _layers(left, above, victim, theme)
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
        left.set_ylabel(f"{victim.name}\n{SCORES['psnr'].title}")
    # The axis is logarithmic: no noise at all is the other column's first point.
    every = {x for v in victims for points in v.noisy.values() for x, _ in points}
    noises = sorted(every - {0.0})
    for left, right in rows:
        if noises:
            right.set_xlim(min(noises) / 2, max(noises) * 2)
        right.xaxis.set_major_locator(FixedLocator(noises))
        right.xaxis.set_major_formatter(FixedFormatter([_power(x) for x in noises]))
        right.xaxis.set_minor_locator(NullLocator())
        left.set_xlim(1.15, LEAST_KEPT * 0.85)
        left.set_xticks([1 - r for r in RATES], [f"{r:g}" for r in RATES])
        left.set_xticks([], minor=True)
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


def _power(value: float) -> str:
    """``1e-4`` for a small power of ten, another value as it is."""
    exponent = round(math.log10(value)) if value > 0 else 0
    return f"1e{exponent}" if exponent < -1 and value == float(f"1e{exponent}") else f"{value:g}"


def _named(found: RunOut, *, span: bool) -> str:
    """``layer 1.1 99.5%``; with where it begins, too."""
    first, half = 100 * found.first, 100 * found.half
    return f"{found.label} {f'{first:.1f}-' if span and half - first > 0.1 else ''}{half:.1f}%"


def _room(victim: Victim) -> float:
    """Inches above a row for the names of its layers, which are written upwards."""
    longest = max(len(_named(found, span=bold)) for found, bold in _lines_of(victim))
    return 0.15 + longest * NAMES * 0.48 / 72


def _lines_of(victim: Victim) -> list[tuple[RunOut, bool]]:
    """The layers by rising rate, and whether each is the cliff, which stands for its own layer."""
    others = [(one, False) for one in victim.layers if abs(one.half - victim.cliff.half) > SAME]
    return sorted([*others, (victim.cliff, True)], key=lambda pair: pair[0].half)


def _layers(axes: Axes, above: Axes, victim: Victim, theme: Theme) -> None:
    """A line per layer, with its name above the panel; names stand apart, and lines lead there."""
    cliff, found = victim.cliff, _lines_of(victim)
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
            _named(layer, span=bold),
            transform=above.transAxes,
            rotation=90,
            ha="center",
            va="bottom",
            fontsize=NAMES,
            color=colour,
        )


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
