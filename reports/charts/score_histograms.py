"""How the scores of members and of others are spread."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from reports.charts.chart import LINES, Chart, Figure, Theme
from reports.panels.labels import shorten
from reports.records.membership import MembershipRecord

BINS = 40
EDGE = 0.005
"""This share of scores at either end shares the last bin, or a few would hide the rest."""


def histogram_chart(record: MembershipRecord) -> Chart:
    """A histogram per attack, members against others."""
    return histogram(
        record.scores,
        record.members,
        ("members", "others"),
        f"{record.anchor}-scores",
        f"Scores of members and others, record {record.source.number}",
    )


def histogram(
    scores: Mapping[str, NDArray[np.float64]],
    inside: NDArray[np.bool_],
    kinds: tuple[str, str],
    key: str = "scores",
    title: str = "Scores",
) -> Chart:
    """A histogram per score, those inside against the others, each normalised to a density.

    Args:
        scores: name -> (N,).
        inside: (N,).
        kinds: what those inside are called, and the others.
        key: see `Chart`.
        title: see `Chart`.
    """
    shown = dict(list(scores.items())[:LINES])
    draw = partial(_draw, shown, inside, kinds)
    numbers = [
        f"{n}: median {np.median(scores[n][inside]):.3g} for {kinds[0]}, "
        f"{np.median(scores[n][~inside]):.3g} for {kinds[1]}"
        for n in shown
    ]
    return Chart(key, title, f"Histograms. {'; '.join(numbers)}.", draw, wide=True)


def _draw(
    scores: Mapping[str, NDArray[np.float64]],
    inside: NDArray[np.bool_],
    kinds: tuple[str, str],
    theme: Theme,
) -> Figure:
    figure = Figure(figsize=(6.6, 1.5 * len(scores) + 0.6), layout="constrained")
    grid = figure.subplots(len(scores), 1, squeeze=False)[:, 0]
    for axes, (name, values) in zip(grid, scores.items(), strict=True):
        low, high = np.quantile(values, (EDGE, 1 - EDGE))
        edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
        for index, (kind, which) in enumerate(zip(kinds, (inside, ~inside), strict=True)):
            clipped = np.clip(values[which], edges[0], edges[-1])
            axes.hist(
                clipped, edges, density=True, alpha=0.55, color=theme.series[index], label=kind
            )
        axes.set_yticks([])
        axes.set_xlabel(f"score of {shorten(name, 40)}")
    grid[0].legend()
    return figure
