"""Membership inference: ROC on logarithmic axes, where a few sure hits are seen."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from reports.charts.chart import DASHES, LINES, SMALL, Chart, Figure, Theme, blank, legend
from reports.evidence.refuted import FALSE_ALARMS
from reports.panels.labels import shorten
from reports.records.membership import MembershipRecord


def roc_charts(records: Sequence[MembershipRecord]) -> Iterator[Chart]:
    """One chart per Record that holds scores."""
    for record in records:
        if record.scores:
            yield _chart(record)


def _chart(record: MembershipRecord) -> Chart:
    floor = 1 / record.outside  # a smaller false positive rate cannot be told from none
    names = list(record.scores)[:LINES]
    numbers = [f"{n}: AUC {record.auc(n).show(3)}" for n in names]
    for rate in FALSE_ALARMS:
        if record.resolves(rate):
            numbers += [f"{n}: TPR {record.tpr(n, rate).show(3)} at FPR {rate:g}" for n in names]
    left = len(record.scores) - len(names)
    return Chart(
        f"{record.anchor}-roc",
        f"Membership inference, record {record.source.number}",
        f"True against false positive rate, both logarithmic. {'; '.join(numbers)}.",
        partial(_draw, record, names, floor),
        note=f"Attacks left out: {left}. " * bool(left)
        + f"Nothing is drawn below {floor:.2g}, one of {record.outside} non-members.",
    )


def _draw(record: MembershipRecord, names: Sequence[str], floor: float, theme: Theme) -> Figure:
    figure, axes = blank((SMALL[0], 3.9))
    grid = np.geomspace(floor, 1, 200)
    lowest = floor
    for index, name in enumerate(names):
        false, true = record.roc(name)
        # The best TPR at each rate that the sample resolves, without the steps below.
        reached = np.array([true[false <= f].max() for f in grid])
        drawn = reached > 0
        lowest = min(lowest, *reached[drawn].tolist(), 1.0)
        axes.plot(
            grid[drawn],
            reached[drawn],
            color=theme.series[index],
            ls=DASHES[index],
            lw=1.6,
            drawstyle="steps-post",
            label=f"{shorten(name, 30)} (AUC {record.auc(name).show(2)})",
        )
    axes.plot(grid, grid, color=theme.soft, ls="--", lw=1.1, label="chance")
    if record.epsilon is not None and math.isfinite(record.epsilon):
        label = f"at most, if ε {record.epsilon:.3g} holds"
        axes.plot(grid, record.bound(grid), color=theme.ink, lw=1.8, label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    axes.set_xlim(floor, 1)
    axes.set_ylim(min(lowest, floor) * 0.9, 1.1)
    axes.set_xlabel("false positive rate")
    axes.set_ylabel("true positive rate")
    legend(figure, axes, 1)
    return figure
