"""What an uploaded part of an update gives away, against the bytes that it takes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.axes import Axes

from reports.charts.chart import DASHES, MARKERS, Chart, Figure, Theme, bars
from reports.estimates import Estimate
from reports.scores import SCORES

PSNR, LPIPS = SCORES["psnr"], SCORES["lpips"]
QUANTITIES = {
    "psnr": f"{PSNR.label}, {PSNR.unit}",
    "lpips": f"{LPIPS.label} ({LPIPS.direction})",
    "labels": "labels found",
    "top1": "named at once among candidates",
}
"""What the four panels show, by the names that a Record's summary has."""
SHARES = ("labels", "top1")


@dataclass(frozen=True)
class Shared:
    """One upload.

    Attributes:
        share: theta_u, of the coordinates.
        sent: bytes of the message: float32 values, and their places where not all are sent.
        found: what the adaptive attacker got, by the names in `QUANTITIES`.
    """

    share: float
    sent: int
    found: Mapping[str, Estimate]


@dataclass(frozen=True)
class Uploads:
    """Uploads of one rule.

    Attributes:
        label: of the rule, and of the round.
        points: by falling share.
    """

    label: str
    points: tuple[Shared, ...]


def shared_part_chart(
    uploads: Sequence[Uploads], blind: Mapping[str, Estimate], whole: Mapping[str, Estimate]
) -> Chart:
    """Four panels: how close, how alike, which label, which candidate, against bytes sent.

    Args:
        uploads: at most `LINES`.
        blind: what guesses without the upload get, by the names in `QUANTITIES`, as far as known.
        whole: what the attack gets of an undefended update, by the same names: the positive
            control.
    """
    numbers = "; ".join(
        f"{line.label}, {point.share:g} ({point.sent:,} bytes): "
        f"{point.found['psnr'].show()} {PSNR.unit}, {LPIPS.label} {point.found['lpips'].show(2)}"
        for line in uploads
        for point in line.points
    )
    return Chart(
        "shared-part",
        "How much sharing a part of the update protects",
        numbers,
        partial(_draw, uploads, blind, whole),
        wide=True,
        note="Bars: 95% intervals. Points of one rule are theta_u as written.",
    )


def _draw(
    uploads: Sequence[Uploads],
    blind: Mapping[str, Estimate],
    whole: Mapping[str, Estimate],
    theme: Theme,
) -> Figure:
    figure = Figure(figsize=(8.2, 5.6), layout="constrained")
    grid = figure.subplots(2, 2, sharex=True)
    sizes = [math.log10(max(1, point.sent)) for line in uploads for point in line.points]
    ticks = [10**k for k in range(math.floor(min(sizes)), math.ceil(max(sizes)) + 1)]
    for axes, (name, title) in zip(grid.flat, QUANTITIES.items(), strict=True):
        axes.grid(True)
        _draw_lines(axes, uploads, name, theme)
        for found, label, style in ((whole, "whole update", "-."), (blind, "no update", ":")):
            if name in found and found[name].known:
                axes.axhline(found[name].mean, color=theme.soft, ls=style, lw=1.1, label=label)
        axes.set_xscale("log")
        axes.set_xticks(ticks, [f"{t:,}" for t in ticks])  # a power's own label is math, not drawn
        axes.set_xticks([], minor=True)
        axes.set_ylabel(title)
        if name in SHARES:
            axes.set_ylim(-0.04, 1.06)
    for axes in grid[1]:
        axes.set_xlabel("bytes sent")
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure


def _draw_lines(axes: Axes, uploads: Sequence[Uploads], name: str, theme: Theme) -> None:
    """One quantity of every rule; its shares are written at the first rule's points."""
    for index, line in enumerate(uploads):
        points = [p for p in line.points if p.found[name].known]
        values = [p.found[name] for p in points]
        places = [p.sent * (1 + 0.06 * index) for p in points]  # so that no bar hides another
        means = [value.mean for value in values]
        axes.errorbar(
            places,
            means,
            yerr=bars(values),
            color=theme.series[index],
            ls=DASHES[index],
            marker=MARKERS[index],
            lw=1.3,
            elinewidth=0.9,
            ms=4.5,
            label=line.label,
        )
        for point, place, mean in zip(points, places, means, strict=True):
            if index == 0:
                axes.annotate(
                    f"{point.share:g}",
                    (place, mean),
                    (0, 7),
                    textcoords="offset points",
                    ha="center",
                    fontsize=7,
                    color=theme.soft,
                )
