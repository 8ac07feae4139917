"""How much of each example an update gives away, against how many examples it is made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from reports.charts.chart import DASHES, LINES, MARKERS, Chart, Figure, Theme, blank, legend
from reports.panels.batches import Batches
from reports.scores import SCORES


def batch_charts(found: Sequence[Batches]) -> Iterator[Chart]:
    """Of every victim, PSNR of the median example, with worst and best, against the batch size."""
    for turn, victim in enumerate(dict.fromkeys(b.victim for b in found), 1):
        every = [b for b in found if b.victim == victim]
        lines = every[:LINES]
        said = [
            f"{line.label}: " + ", ".join(f"{b.spread[1]:.1f} dB at {b.size}" for b in line.sizes)
            for line in lines
        ]
        left = len(every) - len(lines)
        yield Chart(
            f"batches-{turn}-psnr",
            f"What a batch hides: {victim}",
            f"PSNR of the median example by batch size. {'; '.join(said)}.",
            partial(_draw, lines),
            note="Bars reach from the worst example to the best."
            + (f" {left} further settings are in the table." if left else ""),
        )


def _draw(lines: Sequence[Batches], theme: Theme) -> Figure:
    figure, axes = blank()
    axes.set_xscale("log", base=2)
    for turn, line in enumerate(lines):
        # Side by side, so that no bar hides another.
        shift = 2 ** (0.09 * (turn - (len(lines) - 1) / 2))
        sizes = [b.size * shift for b in line.sizes]
        low, middle, high = zip(*(b.spread for b in line.sizes), strict=True)
        axes.errorbar(
            sizes,
            middle,
            yerr=[
                [m - w for m, w in zip(middle, low, strict=True)],
                [b - m for m, b in zip(middle, high, strict=True)],
            ],
            color=theme.series[turn],
            marker=MARKERS[turn],
            ls=DASHES[turn],
            ms=4.5,
            lw=1.3,
            elinewidth=0.8,
            capsize=2,
            label=line.label,
        )
    ticks = sorted({b.size for line in lines for b in line.sizes})
    axes.set_xticks(ticks, [str(t) for t in ticks])
    axes.minorticks_off()
    axes.set_xlabel("examples per update")
    axes.set_ylabel(SCORES["psnr"].axis)
    legend(figure, axes, 2)
    return figure
