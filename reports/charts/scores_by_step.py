"""Scores of attacks against the training step at which they were made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from matplotlib.axes import Axes

from reports.charts.chart import LINES, MARKERS, Chart, Figure, Theme, band, bars, legend
from reports.estimates import NOTHING, Estimate
from reports.estimates.counts import count_of
from reports.records import Record, inversion
from reports.records.column import ADAPTIVE, ATTACKERS, Column
from reports.records.inversion import InversionRecord
from reports.records.options import RATE
from reports.scores import SCORES

SHOWN = ("psnr", "lpips")
"""The scores that are drawn."""


@dataclass(frozen=True)
class Moment:
    """One step of one run, attacked.

    Attributes:
        name: what the run is called.
        step: steps done when the attacked release is made.
        record: of the attack, on one defense.
    """

    name: str
    step: int
    record: Record

    @cached_property
    def found(self) -> InversionRecord:
        """The Record, checked."""
        return inversion.parse(self.record)

    @property
    def defense(self) -> str:
        """Name of the run's defense; the Record may hold the undefended update as well."""
        return str(self.record.scenario["defense"])

    @property
    def rate(self) -> float | None:
        """Share of coordinates dropped at this step; None for a defense without a rate."""
        rate = self.found.guarantees[self.defense].options.get(RATE)
        return None if rate is None else float(rate)

    @property
    def guess(self) -> dict[str, Estimate]:
        """Score -> its mean over the best guesses without the release."""
        return self.found.guess_means

    def mean(self, attacker: str, score: str) -> Estimate:
        """An attacker's score at this step; nothing where that one was not run."""
        return self.found.means.get(Column(self.defense, attacker), {}).get(score, NOTHING)


def step_chart(moments: Sequence[Moment]) -> Chart:
    """Two panels of scores and one of the drop rate against the step.

    Solid lines: the adversary who replays the defense; dotted: the one who ignores it. Bars and
    the grey band of the prior are 95% intervals over images.

    Args:
        moments: of any number of runs, on the same private images.
    """
    runs: dict[str, list[Moment]] = {}
    for moment in moments:
        runs.setdefault(moment.name, []).append(moment)
    numbers = [
        f"{name}: {', '.join(f'{m.mean(ADAPTIVE, SHOWN[0]).show()} at {m.step}' for m in run)}"
        for name, run in runs.items()
    ]
    facts = moments[0].record.scenario
    look = f"solid: adaptive attack {facts['attack']}, dotted: naive"
    title = (
        f"What one release gives away along training: {facts['model']}, {facts['data']}, "
        f"{count_of(facts['images'], 'member')}"
    )
    return Chart(
        "scores-by-step",
        title,
        f"PSNR in dB of the adaptive attack against the training step. {'; '.join(numbers)}.",
        partial(_draw, runs, f"{title}\n{look}; bars: 95% interval over images"),
        wide=True,
    )


def _draw(runs: dict[str, list[Moment]], title: str, theme: Theme) -> Figure:
    figure = Figure(figsize=(7.6, 7.4), layout="constrained")
    grid = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 1.2))
    guess = next(iter(runs.values()))[0].guess
    for axes, score in zip(grid, SHOWN, strict=False):
        band(axes, guess[score], theme, "no release (prior)")
        for index, run in enumerate(runs.values()):
            _lines(axes, run, score, index, len(runs), theme)
        axes.set_ylabel(SCORES[score].axis.replace(", ", "\n"))
    for index, run in enumerate(runs.values()):
        known = [(m.step, m.rate) for m in run if m.rate is not None]
        steps, rates = [s for s, _ in known], [r for _, r in known]
        colour, marker = theme.series[index % LINES], MARKERS[index % LINES]
        grid[2].plot(steps, rates, color=colour, marker=marker, ms=3)
    grid[2].set_ylim(-0.05, 1.05)
    grid[2].set_ylabel("share\ndropped")
    grid[2].set_xlabel("training step")
    for axes in grid:
        axes.grid(axis="y")
    legend(figure, grid[0], 3)
    figure.suptitle(title, fontsize=9.5)
    return figure


def _lines(
    axes: Axes, run: Sequence[Moment], score: str, index: int, runs: int, theme: Theme
) -> None:
    """One score of a run: a solid line of the adaptive attacker, a dotted one of the naive."""
    width = max(m.step for m in run) or 1
    shift = (index - (runs - 1) / 2) * 0.008 * width  # so that the bars do not hide each other
    for attacker in ATTACKERS:
        points = [(m.step + shift, m.mean(attacker, score)) for m in run]
        points = [(x, mean) for x, mean in points if mean.known]
        x, found = [x for x, _ in points], [mean for _, mean in points]
        colour, means = theme.series[index % LINES], [mean.mean for mean in found]
        if not found:
            continue
        if attacker == ADAPTIVE:
            axes.errorbar(
                x,
                means,
                yerr=bars(found),
                label=run[0].name,
                lw=1.6,
                color=colour,
                marker=MARKERS[index % LINES],
                ms=5,
                capsize=2,
                elinewidth=0.8,
            )
        else:
            axes.plot(x, means, ls=":", lw=1.1, color=colour)
