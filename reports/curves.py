"""Scores against the rate and against the noise, with intervals and the prior baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from reports.records import Record, atomic

# Okabe and Ito's palette; markers differ too, for print and for every kind of colour blindness.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9")
MARKERS = "osD^vP"
SCORES = {"psnr": "PSNR (dB), higher is closer", "lpips": "LPIPS, lower is closer"}


@dataclass(frozen=True)
class Point:
    """One setting, (rate, noise multiplier), and its scores' summaries."""

    setting: tuple[float, float]
    scores: dict[str, dict[str, float]]


def rate_and_noise(records: Sequence[Record], path: Path) -> Path:
    """Two rows (PSNR, LPIPS) of two panels (against rate, against noise); returns ``path``.

    Args:
        records: one per setting, each holding one defense with ``rate`` and
            ``noise_multiplier``, attacked adaptively.
        path: the PNG to write.
    """
    points = []
    for record in records:
        name = record.scenario["defense"]
        options = record.bounds[name]["options"]
        summary = record.summary[f"{name}/adaptive"]
        points.append(Point((options["rate"], options["noise_multiplier"]), summary))
    figure, grid = plt.subplots(2, 2, figsize=(8.6, 6.2), sharey="row", layout="constrained")
    for row, (score, label) in enumerate(SCORES.items()):
        for column in (0, 1):
            _panel(grid[row][column], points, score, along=column)
            prior = records[0].baseline[records[0].baseline["shown"]][score]
            if prior["mean"] is not None:
                grid[row][column].axhspan(prior["low"], prior["high"], color="#999999", alpha=0.2)
                grid[row][column].axhline(
                    prior["mean"], color="#666666", ls="--", lw=1, label="no release (prior)"
                )
        grid[row][0].set_ylabel(label)
    for column, label in enumerate(("share of coordinates dropped", "noise multiplier")):
        grid[1][column].set_xlabel(label)
        grid[0][column].legend(fontsize=7.5, frameon=False)
    facts = records[0].scenario
    figure.suptitle(
        f"{facts['defense']} on {facts['model']}, {facts['data']}: {facts['images']} images, "
        f"adaptive attack {facts['attack']}; bars: 95% bootstrap interval over images",
        fontsize=9.5,
    )
    with atomic(path) as scratch:
        figure.savefig(scratch, dpi=160, facecolor="white")
    plt.close(figure)
    return path


def _panel(axes: Axes, points: list[Point], score: str, along: int) -> None:
    """One line per value of the other variable, over evenly spaced settings of this one."""
    places = sorted({p.setting[along] for p in points})
    lines = sorted({p.setting[1 - along] for p in points})
    for turn, other in enumerate(lines):
        own = {p.setting[along]: p.scores[score] for p in points if p.setting[1 - along] == other}
        shown = [(places.index(k), v) for k, v in sorted(own.items()) if v["mean"] is not None]
        if not shown:
            continue
        shift = (turn - (len(lines) - 1) / 2) * 0.05  # so that the bars do not hide each other
        means = [v["mean"] for _, v in shown]
        bars = [[v["mean"] - v["low"] for _, v in shown], [v["high"] - v["mean"] for _, v in shown]]
        label = f"{'noise' if along == 0 else 'rate'} {other:g}"
        axes.errorbar(
            [x + shift for x, _ in shown],
            means,
            yerr=bars,
            label=label,
            lw=1.5,
            ms=5,
            color=COLOURS[turn % 6],
            marker=MARKERS[turn % 6],
            capsize=2,
            elinewidth=0.8,
        )
    axes.set_xticks(range(len(places)), [f"{v:g}" for v in places])
    axes.grid(axis="y", color="#dddddd", lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)
