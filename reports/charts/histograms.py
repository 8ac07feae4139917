"""How the scores of members and of others are spread."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from reports.charts.style import LINES, Chart, Theme
from reports.memberships import Membership

BINS = 40
EDGE = 0.005
"""This share of scores at either end shares the last bin, or a few would hide the rest."""


def score_chart(one: Membership) -> Chart:
    """A histogram per attack, members against others, each normalised to a density."""
    names = list(one.scores)[:LINES]

    def draw(theme: Theme) -> Figure:
        figure = Figure(figsize=(6.6, 1.5 * len(names) + 0.6), layout="constrained")
        grid = figure.subplots(len(names), 1, squeeze=False)[:, 0]
        for axes, name in zip(grid, names, strict=True):
            scores = one.scores[name]
            low, high = np.quantile(scores, (EDGE, 1 - EDGE))
            edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
            for turn, (kind, inside) in enumerate((("members", True), ("others", False))):
                own = np.clip(scores[one.members == inside], edges[0], edges[-1])
                axes.hist(
                    own, edges, density=True, alpha=0.55, color=theme.series[turn], label=kind
                )
            axes.set_yticks([])
            axes.set_xlabel(f"score of {name[:40]}", fontsize=8)
        grid[0].legend(frameon=False, fontsize=8)
        return figure

    told = [
        f"{n}: median {np.median(one.scores[n][one.members]):.3g} for members, "
        f"{np.median(one.scores[n][~one.members]):.3g} for others"
        for n in names
    ]
    return Chart(
        f"{one.anchor}-scores",
        f"Scores of members and others, record {one.source.number}",
        f"Histograms. {'; '.join(told)}.",
        draw,
        wide=True,
    )
