"""What an attacker who ignores the defense misses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from reports.charts.chart import Chart, Figure, Theme, band, blank, legend
from reports.charts.scores_by_option import GUESS
from reports.panels.labels import fold
from reports.panels.panel import Panel
from reports.panels.setting import Setting
from reports.scores import SCORES

MOST = 24


def attacker_charts(panel: Panel) -> Iterator[Chart]:
    """A dumbbell per setting: naive and adaptive PSNR, and what guessing reaches.

    Of more than `MOST` settings, those with the widest gap.
    """
    both = [
        s
        for s in panel.settings
        if all(c in s.scores and s.estimate(c, "psnr").known for c in ("adaptive", "naive"))
    ]
    if len(both) < 2:
        return
    kept = sorted(both, key=_gap)[-MOST:]
    shown = [s for s in both if s in kept]
    numbers = [
        f"{s.label}: naive {s.estimate('naive', 'psnr').mean:.1f}, "
        f"adaptive {s.estimate('adaptive', 'psnr').mean:.1f}"
        for s in shown
    ]
    left = len(both) - len(shown)
    yield Chart(
        f"{panel.anchor}-attackers",
        "What an attacker who ignores the defense misses",
        f"Mean PSNR in dB by attacker. {'; '.join(numbers)}. "
        f"{GUESS.capitalize()}: {panel.guess('psnr').show()}.",
        partial(_draw, panel, shown),
        wide=True,
        note=f"The {len(shown)} settings with the widest gap; {left} are left out." if left else "",
    )


def _draw(panel: Panel, shown: Sequence[Setting], theme: Theme) -> Figure:
    figure, axes = blank((6.6, 1.15 + 0.23 * len(shown)))
    band(axes, panel.guess("psnr"), theme, GUESS, upright=True)
    heights = list(range(len(shown)))[::-1]
    for column, colour, marker, label in (
        ("naive", theme.series[1], "D", "ignores the defense (naive)"),
        ("adaptive", theme.series[0], "o", "replays the defense (adaptive)"),
    ):
        means = [s.estimate(column, "psnr").mean for s in shown]
        dots = axes.scatter(
            means, heights, color=colour, marker=marker, s=30, zorder=3, label=label
        )
        dots.set_urls([f"#{s.anchor}" for s in shown])
    axes.hlines(
        heights,
        [s.estimate("naive", "psnr").mean for s in shown],
        [s.estimate("adaptive", "psnr").mean for s in shown],
        color=theme.soft,
        lw=1.1,
    )
    axes.set_yticks(heights, [fold(s.label, 36) for s in shown])
    axes.set_ylim(-0.7, len(shown) - 0.3)
    axes.grid(False, axis="y")
    axes.set_xlabel(SCORES["psnr"].axis)
    legend(figure, axes, 3)
    return figure


def _gap(setting: Setting) -> float:
    return setting.estimate("adaptive", "psnr").mean - setting.estimate("naive", "psnr").mean
