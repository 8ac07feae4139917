"""What private heads reach at every epsilon, and how often somebody is named from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from matplotlib.axes import Axes

from reports.charts.chart import DASHES, LINES, MARKERS, Chart, Figure, Theme, bars, legend
from reports.estimates import Estimate
from reports.panels.trained import Trained
from reports.records.inversion import InversionRecord

Points = dict[str, list[tuple[float, Estimate]]]
"""A line's name -> (epsilon, share), ascending."""


def accuracy_chart(heads: Sequence[Trained], named: Sequence[InversionRecord] = ()) -> Chart:
    """Accuracy in percent against epsilon, and beside it how often the right one of N is named.

    Args:
        heads: pooled over seeds, of one data and backbone; what has no noise is not drawn.
        named: candidate games with the releases of a head; empty: accuracy alone.
    """
    lines: Points = {}
    for head in heads:
        facts, spent = head.runs[0].facts, head.runs[0].epsilon
        if math.isfinite(spent):
            options = "".join(f", {k} {v}" for k, v in facts["defense_options"].items())
            name = f"{facts['defense']}{options}"
            lines.setdefault(name, []).append((spent, head.accuracy.times(100)))
    found = _sort(lines)
    games: Points = {}
    limits: dict[float, tuple[float, int]] = {}
    for record in named:
        for column, scores in record.columns.items():
            held, ranks = record.guarantees[column.defense], scores.values["rank"]
            if math.isfinite(held.epsilon):
                share = Estimate.share(int((ranks == 1).sum()), len(ranks)).times(100)
                games.setdefault(column.defense, []).append((held.epsilon, share))
                limits[held.epsilon] = 100 * held.top1, held.candidates
    facts = heads[0].runs[0].facts
    left = len(lines) - len(found)
    return Chart(
        "heads",
        f"Private heads on {facts['data']}, {facts['model']}",
        f"Test accuracy in percent against epsilon. {_describe(found)}. {_describe(games)}",
        partial(draw_heads, found, _sort(games), limits),
        wide=bool(games),
        note=(f"Lines left out: {left}. " if left else "") + "Bars: 95% intervals.",
    )


def draw_heads(
    lines: Points, games: Points, limits: dict[float, tuple[float, int]], theme: Theme
) -> Figure:
    """Accuracy left, and right, where a game was played, the share named and what mu allows."""
    figure = Figure(figsize=(8.4 if games else 5.0, 3.7), layout="constrained")
    places = figure.subplots(1, 2 if games else 1, squeeze=False)[0]
    order = list(lines | games)
    _draw_lines(places[0], lines, theme, order)
    places[0].set_ylabel("tests right (%)")
    if games:
        _draw_lines(places[1], games, theme, order)
        count = max(count for _, count in limits.values())
        epsilons = sorted(limits)
        most = [limits[e][0] for e in epsilons]
        places[1].plot(epsilons, most, color=theme.ink, lw=1.6, label="no adversary more often")
        places[1].axhline(
            100 / count, color=theme.soft, ls="--", lw=1.1, label=f"chance, 1 in {count}"
        )
        places[1].set_ylabel(f"right one of {count} named (%)")
        places[1].set_ylim(0)
        places[0].legend(loc="lower right", fontsize=7.5)
        places[1].legend(loc="upper left", fontsize=7.5)
    else:
        legend(figure, places[0])
    return figure


def _draw_lines(axes: Axes, lines: Points, theme: Theme, order: list[str]) -> None:
    axes.grid(True)
    for name, line in lines.items():
        index = order.index(name)
        shares = [share for _, share in line]
        x, colour = [e for e, _ in line], theme.series[index % LINES]
        means = [share.mean for share in shares]
        style = DASHES[index % LINES]
        axes.errorbar(x, means, yerr=bars(shares), color=colour, ls=style, elinewidth=0.9)
        marker = MARKERS[index % LINES]
        axes.scatter(x, means, color=colour, marker=marker, s=24, zorder=3, label=name)
    axes.set_xscale("log")
    ticks = sorted({float(f"{e:.3g}") for line in lines.values() for e, _ in line})
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("epsilon")


def _sort(lines: Points) -> Points:
    return {name: sorted(lines[name], key=lambda p: p[0]) for name in sorted(lines)[:LINES]}


def _describe(lines: Points) -> str:
    return "; ".join(
        f"{name}: " + ", ".join(f"{share.show(1)} at {e:.3g}" for e, share in line)
        for name, line in lines.items()
    )
