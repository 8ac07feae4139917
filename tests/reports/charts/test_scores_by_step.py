"""Scores along a run."""

from __future__ import annotations

from reports.charts.chart import LINES, PAPER
from reports.charts.scores_by_step import step_chart
from tests.reports.charts.figures import moments


def test_every_run_is_a_line_with_its_drop_rate():
    chart = step_chart(moments(LINES + 1, rate=0.5))
    psnr, lpips, rate = chart.draw(PAPER).axes
    for axes in (psnr, lpips):
        assert len(axes.containers) == LINES + 1
    assert len(rate.lines) == LINES + 1
    assert "run 0: 20.0 [19.0, 21.0] at 0, 20.0 [19.0, 21.0] at 50" in chart.alt


def test_a_defense_without_a_rate_has_none():
    assert not any(
        len(line.get_xdata()) for line in step_chart(moments()).draw(PAPER).axes[2].lines
    )
