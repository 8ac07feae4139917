"""What heads reach stands beside what they give away, in the same colours."""

from __future__ import annotations

from reports.charts.accuracy_by_epsilon import draw_heads
from reports.charts.chart import PAPER, drawing
from reports.estimates import Estimate


def share(percent: float) -> Estimate:
    return Estimate(percent, percent - 5, percent + 5, 64)


def test_a_method_has_one_colour_and_an_epsilon_its_own_name_in_both_halves():
    lines = {"dp-fc": [(8.0, share(80)), (128.0, share(90))], "dp-ls": [(8.0, share(70))]}
    games = {"dp-ls": [(8.0, share(20)), (128.0, share(60))]}
    with drawing(PAPER):
        figure = draw_heads(lines, games, {8.0: (30.0, 64), 128.0: (100.0, 64)}, PAPER)
    left, right = figure.axes
    of_left, of_right = (
        {
            a.get_label(): a.get_edgecolor()[0].tolist()
            for a in axes.collections
            if len(a.get_offsets())
        }
        for axes in (left, right)
    )
    assert of_left["dp-ls"] == of_right["dp-ls"] != of_left["dp-fc"]
    assert [tick.get_text() for tick in right.get_xticklabels()] == ["8", "128"]
