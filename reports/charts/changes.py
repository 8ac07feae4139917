"""What changed between two sets of Records: a difference and its interval per setting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from reports.charts.chart import MARKERS, Chart, Figure, Theme, bars, blank, legend
from reports.panels.changes import LESS, MORE, Change
from reports.panels.labels import fold
from reports.scores import SCORES

MOST = 30


def change_charts(changes: Sequence[Change]) -> Iterator[Chart]:
    """Forest plot of the PSNR differences of the adaptive attacker; the largest `MOST`."""
    adaptive = [c for c in changes if (c.attacker, c.score) == ("adaptive", "psnr")]
    known = [c for c in adaptive if c.difference.known]
    if not known:
        return
    shown = sorted(known, key=lambda c: -abs(c.difference.mean))[:MOST]
    shown.sort(key=lambda c: -c.difference.mean)
    numbers = [f"{c.setting}: {c.difference.show(1, signed=True)}, {c.verdict}" for c in shown]
    left = len(known) - len(shown)
    yield Chart(
        "changes-forest",
        "Change of what the adaptive attack recovers",
        f"Differences of PSNR in dB with 95% intervals. {'; '.join(numbers)}.",
        partial(_draw, shown),
        wide=True,
        note=f"The {len(shown)} largest; {left} are in the table only." if left else "",
    )


def _draw(shown: Sequence[Change], theme: Theme) -> Figure:
    figure, axes = blank((6.6, 1.2 + 0.23 * len(shown)))
    axes.axvline(0, color=theme.soft, ls="--", lw=1.1)
    looks = {MORE: theme.series[1], LESS: theme.series[0]}
    for index, verdict in enumerate(sorted({c.verdict for c in shown})):
        places = [i for i, c in enumerate(shown) if c.verdict == verdict]
        kept = [shown[i].difference for i in places]
        axes.errorbar(
            [e.mean for e in kept],
            [len(shown) - 1 - i for i in places],
            xerr=bars(kept),
            color=looks.get(verdict, theme.soft),
            marker=MARKERS[index],
            ls="",
            ms=5,
            elinewidth=1.2,
            label=verdict,
        )
    several = len({c.panel for c in shown}) > 1
    names = [f"{c.setting} ({c.panel})" if several else c.setting for c in shown]
    heights = range(len(shown) - 1, -1, -1)
    axes.set_yticks(list(heights), [fold(n, 36) for n in names])
    axes.set_ylim(-0.7, len(shown) - 0.3)
    axes.grid(False, axis="y")
    axes.set_xlabel(f"change of {SCORES['psnr'].title}, adaptive attack: to the right leaks more")
    legend(figure, axes, 3)
    return figure
