"""Epsilon along a run: what accountants claim, and what audits prove."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

from reports.charts.chart import DASHES, LINES, MARKERS, SMALL, Chart, Figure, Theme, blank, legend
from reports.panels.labels import shorten


def course_chart(
    steps: Sequence[int],
    claimed: Sequence[float],
    audited: Mapping[str, Sequence[float]],
    confidence: float,
) -> Chart:
    """Audited lower bounds against claimed epsilon; against steps where nothing is claimed.

    Args:
        steps: steps done at each look, ascending.
        claimed: epsilon claimed after each, infinite for nothing.
        audited: method -> lower bound after each.
        confidence: of the bounds of one look together, in (0, 1).
    """
    promised = all(math.isfinite(c) for c in claimed)
    across = list(claimed) if promised else [float(s) for s in steps]
    shown = dict(list(audited.items())[:LINES])
    draw = partial(_draw, across, shown, promised, confidence)
    numbers = "; ".join(f"{name}: at least {values[-1]:.3g}" for name, values in shown.items())
    goal = f"claimed {claimed[-1]:.3g}" if promised else "nothing claimed"
    return Chart("audit-course", "Epsilon along the run", f"{goal}; {numbers}.", draw)


def _draw(
    across: Sequence[float],
    audited: Mapping[str, Sequence[float]],
    promised: bool,
    confidence: float,
    theme: Theme,
) -> Figure:
    figure, axes = blank((SMALL[0] + 0.6, 3.9))
    for index, (name, values) in enumerate(audited.items()):
        axes.plot(
            across,
            values,
            color=theme.series[index],
            ls=DASHES[index],
            marker=MARKERS[index],
            ms=4.5,
            lw=1.5,
            label=shorten(name, 30),
        )
    if promised:
        most = 1.08 * max(across[-1], *(max(v) for v in audited.values())) or 1.0
        axes.plot([0, most], [0, most], color=theme.soft, ls="--", lw=1.1, label="the claim")
        axes.fill_between([0, most], [0, most], most, color=theme.series[1], alpha=0.1, lw=0)
        axes.text(0.04 * most, 0.93 * most, "claim refuted", fontsize="small", color=theme.soft)
        axes.set_xlim(0, 1.04 * across[-1] or 1.0)
        axes.set_ylim(0, most)
    else:
        axes.set_ylim(bottom=0)
    axes.set_xlabel("epsilon claimed so far" if promised else "steps done; nothing claimed")
    axes.set_ylabel(f"epsilon proven at least, at {100 * confidence:g}%")
    legend(figure, axes, 2)
    return figure
