"""Scores of attacks against the training step at which they were made."""

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
SCORES = {"psnr": "PSNR (dB)\nhigher is closer", "lpips": "LPIPS\nlower is closer"}


@dataclass(frozen=True)
class Moment:
    """One step of one run, attacked.

    Attributes:
        name: of the run.
        step: steps done when the attacked release is made.
        record: of the attack; one defense.
    """

    name: str
    step: int
    record: Record

    def rate(self) -> float | None:
        """Share of coordinates dropped at this step; None for a defense without a rate."""
        found = self.record.bounds[self.record.scenario["defense"]]["options"].get("rate")
        return None if found is None else float(found)


def along(moments: Sequence[Moment], path: Path) -> Path:
    """Two panels of scores and one of the drop rate against the step; returns ``path``.

    Solid lines: the adversary who replays the defense; dotted: the one who ignores it. Bars and
    the grey band of the prior are 95% intervals over images.

    Args:
        moments: of any number of runs, on the same private images.
        path: the PNG to write, atomically.
    """
    figure, grid = plt.subplots(
        3, 1, figsize=(7.6, 7.4), sharex=True, height_ratios=(3, 3, 1.2), layout="constrained"
    )
    names = list(dict.fromkeys(m.name for m in moments))
    for axes, (score, label) in zip(grid, SCORES.items(), strict=False):
        _prior(axes, moments[0].record, score)
        for turn, name in enumerate(names):
            _lines(axes, [m for m in moments if m.name == name], score, turn, len(names))
        axes.set_ylabel(label)
    for turn, name in enumerate(names):
        own = [(m.step, m.rate()) for m in moments if m.name == name]
        known = [(s, r) for s, r in own if r is not None]
        if known:
            grid[2].plot(*zip(*known, strict=True), color=COLOURS[turn % 6], marker="o", ms=3)
    grid[2].set_ylim(-0.05, 1.05)
    grid[2].set_ylabel("share\ndropped")
    grid[2].set_xlabel("training step")
    for axes in grid:
        axes.grid(axis="y", color="#dddddd", lw=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    facts = moments[0].record.scenario
    figure.suptitle(
        f"What one release gives away along training: {facts['model']}, {facts['data']}, "
        f"{facts['images']} members\nsolid: adaptive attack {facts['attack']}, dotted: naive; "
        "bars: 95% interval over images",
        fontsize=9.5,
    )
    with atomic(path) as scratch:
        figure.savefig(scratch, dpi=160, facecolor="white")
    plt.close(figure)
    return path


def _prior(axes: Axes, record: Record, score: str) -> None:
    prior = record.baseline[record.baseline["shown"]][score]
    if prior["mean"] is None:
        return
    if prior["low"] is not None:  # one image has no interval
        axes.axhspan(prior["low"], prior["high"], color="#999999", alpha=0.2)
    axes.axhline(prior["mean"], color="#666666", ls="--", lw=1, label="no release (prior)")


def _lines(axes: Axes, own: Sequence[Moment], score: str, turn: int, runs: int) -> None:
    colour, marker = COLOURS[turn % 6], MARKERS[turn % 6]
    width = max(m.step for m in own) or 1
    shift = (turn - (runs - 1) / 2) * 0.008 * width  # so that the bars do not hide each other
    for column, style in (("adaptive", "-"), ("naive", ":")):
        points = []
        for moment in own:
            key = f"{moment.record.scenario['defense']}/{column}"
            found = moment.record.summary.get(key)
            if found is not None and found[score]["mean"] is not None:
                points.append((moment.step + shift, found[score]))
        if not points:
            continue
        means = [v["mean"] for _, v in points]
        solid = column == "adaptive"
        known = [(v["mean"] if v["low"] is None else v["low"], v) for _, v in points]
        bars = [
            [v["mean"] - low for low, v in known],
            [0.0 if v["high"] is None else v["high"] - v["mean"] for _, v in known],
        ]
        axes.errorbar(
            [x for x, _ in points],
            means,
            yerr=bars if solid else None,
            label=own[0].name if solid else None,
            ls=style,
            lw=1.6 if solid else 1.1,
            color=colour,
            marker=marker if solid else None,
            ms=5,
            capsize=2,
            elinewidth=0.8,
        )
