"""What private heads reach at every epsilon, one line a method."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial

from reports.charts.chart import DASHES, LINES, MARKERS, Chart, Figure, Theme, bars, blank, legend
from reports.panels.trained import Trained

HeadLines = dict[str, list[tuple[float, Trained]]]
"""Method and its options -> (epsilon, head), ascending."""


def accuracy_chart(heads: Sequence[Trained]) -> Iterator[Chart]:
    """One chart per data and backbone: accuracy in percent against epsilon, on a log axis.

    Args:
        heads: pooled over seeds; what has no noise is the right end of its line's method, and
            is not drawn.
    """
    places: dict[tuple[str, str], HeadLines] = {}
    for head in heads:
        facts = head.runs[0].facts
        spent = max(head.runs[0].epsilons.values())
        if math.isfinite(spent):
            lines = places.setdefault((str(facts["data"]), str(facts["model"])), {})
            lines.setdefault(head.label, []).append((spent, head))
    for (data, backbone), lines in places.items():
        found = {name: sorted(lines[name], key=lambda p: p[0]) for name in sorted(lines)[:LINES]}
        numbers = "; ".join(
            f"{name}: " + ", ".join(f"{h.accuracy.mean:.1%} at {e:.3g}" for e, h in line)
            for name, line in found.items()
        )
        left = len(lines) - len(found)
        yield Chart(
            f"heads-{data}-{backbone}".replace(":", "-").replace(".", "-"),
            f"Private heads on {data}, {backbone}",
            f"Test accuracy against epsilon. {numbers}.",
            partial(draw_accuracy, found),
            note=(f"Lines left out: {left}. " if left else "") + "Bars: 95% over seeds and tests.",
        )


def draw_accuracy(lines: HeadLines, theme: Theme) -> Figure:
    """A line per method, with bars, in percent."""
    figure, axes = blank((5.0, 3.9))
    for index, (name, line) in enumerate(lines.items()):
        kept = [head.accuracy.times(100) for _, head in line]
        x, colour = [e for e, _ in line], theme.series[index]
        means = [e.mean for e in kept]
        axes.errorbar(x, means, yerr=bars(kept), color=colour, ls=DASHES[index], elinewidth=0.9)
        axes.scatter(x, means, color=colour, marker=MARKERS[index], s=24, zorder=3, label=name)
    axes.set_xscale("log")
    ticks = sorted({float(f"{e:.2g}") for line in lines.values() for e, _ in line})
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("epsilon")
    axes.set_ylabel("tests right (%)")
    legend(figure, axes)
    return figure
