"""What a defense costs in accuracy, against what it lets through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from reports.charts.chart import LINES, MARKERS, Chart, Figure, Theme, band, bars, blank, legend
from reports.charts.scores_by_option import GUESS
from reports.panels.labels import shorten
from reports.panels.panel import Panel
from reports.panels.setting import Setting
from reports.panels.trained import Trained, match
from reports.scores import SCORES


def accuracy_charts(panel: Panel, trained: Sequence[Trained]) -> Iterator[Chart]:
    """Test accuracy against adaptive PSNR; nothing below two settings with training runs."""
    pairs = match(panel, trained)
    if len(pairs) < 2:
        return
    numbers = [
        f"{s.label}: accuracy {t.accuracy.mean:.1%}, PSNR {s.estimate('adaptive', 'psnr').show()}"
        for s, t in pairs
    ]
    yield Chart(
        f"{panel.anchor}-accuracy",
        "Accuracy against leakage",
        f"Test accuracy and adaptive PSNR in dB. {'; '.join(numbers)}.",
        partial(_draw, panel, pairs),
        wide=True,
        note="Bars: 95% intervals. PSNR is of one update, accuracy of a whole run.",
    )


def _draw(panel: Panel, pairs: Sequence[tuple[Setting, Trained]], theme: Theme) -> Figure:
    figure, axes = blank((6.6, 3.9))
    band(axes, panel.guess("psnr"), theme, GUESS, upright=True)
    defenses = list(dict.fromkeys(s.defense for s, _ in pairs))
    for index, name in enumerate(defenses):
        here = [(s, t) for s, t in pairs if s.defense == name]
        leak = [s.estimate("adaptive", "psnr") for s, _ in here]
        kept = [t.accuracy for _, t in here]
        x, y = [e.mean for e in leak], [e.mean for e in kept]
        colour, marker = theme.series[index % LINES], MARKERS[index % LINES]
        axes.errorbar(x, y, xerr=bars(leak), yerr=bars(kept), color=colour, ls="", elinewidth=0.9)
        dots = axes.scatter(x, y, color=colour, marker=marker, s=34, zorder=3, label=name)
        dots.set_urls([f"#{s.anchor}" for s, _ in here])
        for setting, run in here:
            place = (setting.estimate("adaptive", "psnr").mean, run.accuracy.mean)
            text = setting.label.removeprefix(name).strip()
            text = shorten(text, 40)
            axes.annotate(
                text, place, (5, 5), textcoords="offset points", fontsize="small", color=theme.soft
            )
    psnr = SCORES["psnr"]
    axes.set_xlabel(f"{psnr.label} of the adaptive attack ({psnr.unit}): further left leaks less")
    axes.set_ylabel("test accuracy")
    axes.yaxis.set_major_formatter("{x:.0%}")
    legend(figure, axes, 4)
    return figure
