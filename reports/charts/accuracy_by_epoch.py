"""What a training run reaches, epoch by epoch."""

from __future__ import annotations

from functools import partial

from matplotlib.ticker import MaxNLocator

from reports.charts.chart import Chart, Figure, Theme, band, bars, blank, legend
from reports.estimates import Estimate
from reports.records.training import TrainingRecord


def epoch_chart(training: TrainingRecord) -> Chart:
    """Test accuracy after each epoch with its interval, beside the most frequent class."""
    rows = training.source.record.rows
    reached = [Estimate(row["accuracy"], row["low"], row["high"]) for row in rows]
    numbers = ", ".join(f"epoch {row['epoch']}: {row['accuracy']:.1%}" for row in rows[-3:])
    return Chart(
        f"training-{training.source.number}-epochs",
        f"{training.facts['defense']!s:.60}: accuracy along the run",
        f"Test accuracy at the end: {training.accuracy.percent()}. {numbers}.",
        partial(_draw, training, [float(row["epoch"]) for row in rows], reached),
        note="Bars: 95% intervals over test examples.",
    )


def _draw(
    training: TrainingRecord, epochs: list[float], reached: list[Estimate], theme: Theme
) -> Figure:
    figure, axes = blank()
    axes.errorbar(
        epochs,
        [e.mean for e in reached],
        yerr=bars(reached),
        color=theme.series[0],
        marker="o",
        ms=4.5,
        lw=1.5,
        label=f"{training.facts['defense']!s:.40}",
    )
    band(axes, Estimate(training.guess), theme, "most frequent class")
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")
    axes.set_ylabel("test accuracy")
    legend(figure, axes, 2)
    return figure
