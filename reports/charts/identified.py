"""How often an attacker names the right image among candidates, against what noise allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from reports.charts.chart import DASHES, MARKERS, Chart, Figure, Theme, bars, blank, legend
from reports.charts.lines import Line, lines_along
from reports.estimates import Estimate
from reports.panels.panel import Panel
from reports.panels.setting import Setting


def candidate_charts(panel: Panel) -> Iterator[Chart]:
    """Measured top-1 of N against the noise with the reconstruction-robustness bound.

    Nothing where no Record tells ranks, or where the number of candidates differs.
    """
    ranked = [s for s in panel.settings if "adaptive" in s.scores and _named_share(s).known]
    counts = {s.guarantee.candidates for s in ranked}
    lines, left = lines_along(ranked, "noise_multiplier")
    if not lines or len(counts) != 1:
        return
    count = max(1, counts.pop())
    bounds: dict[float, float] = {}
    for setting in (s for line in lines for s in line.settings):
        noise = _noise(setting)
        bounds[noise] = max(bounds.get(noise, 0.0), setting.guarantee.top1)
    numbers = [
        f"{line.label}: "
        + ", ".join(f"{_named_share(s).show(2)} at {_noise(s):g}" for s in line.settings)
        for line in lines
    ]
    limits = ", ".join(f"{bounds[p]:.3g} at {p:g}" for p in sorted(bounds))
    yield Chart(
        f"{panel.anchor}-candidates",
        f"The right image named at once among {count} candidates",
        f"Share of images named against the noise multiplier. {'; '.join(numbers)}. "
        f"Allowed at most {limits}. Chance: {1 / count:.3g}.",
        partial(_draw, lines, bounds, count),
        note=(f"Lines left out: {left}. " if left else "")
        + "Bars: 95% Clopper-Pearson. The bound holds for one update.",
    )


def _noise(setting: Setting) -> float:
    return setting.option("noise_multiplier") or 0.0


def _named_share(setting: Setting) -> Estimate:
    return setting.scores["adaptive"].named


def _draw(lines: Sequence[Line], bounds: dict[float, float], count: int, theme: Theme) -> Figure:
    places = sorted(bounds)
    figure, axes = blank()
    for index, line in enumerate(lines):
        shares = [_named_share(s) for s in line.settings]
        shift = (index - (len(lines) - 1) / 2) * 0.06  # so that the bars do not hide each other
        x = np.array([places.index(_noise(s)) for s in line.settings]) + shift
        means, colour = [e.mean for e in shares], theme.series[index]
        line_style, marker = DASHES[index], MARKERS[index]
        axes.errorbar(
            x, means, yerr=bars(shares), color=colour, ls=line_style, lw=1.3, elinewidth=0.9
        )
        dots = axes.scatter(x, means, color=colour, marker=marker, s=26, zorder=3, label=line.label)
        dots.set_urls([f"#{s.anchor}" for s in line.settings])
    limit = [bounds[p] for p in places]
    axes.plot(
        range(len(places)),
        limit,
        color=theme.ink,
        lw=1.8,
        label="at most, if guarantees hold",
    )
    chance = f"chance, 1 in {count}"
    axes.axhline(1 / count, color=theme.soft, ls="--", lw=1.1, label=chance)
    axes.set_ylim(-0.03, 1.05)
    axes.set_xticks(range(len(places)), [f"{v:g}" for v in places])
    axes.set_xlabel("noise multiplier")
    axes.set_ylabel(f"named at once among {count}")
    legend(figure, axes, 2)
    return figure
