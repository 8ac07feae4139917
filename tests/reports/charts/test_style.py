from __future__ import annotations

import re
import warnings

import pytest

from reports.charts.chart import PAPER, Chart, blank, drawing, legend
from reports.charts.naive_gap import attacker_charts
from reports.charts.render import fit_legends, save
from reports.charts.style import STYLES
from tests import outcomes


@pytest.fixture(scope="module")
def chart(tmp_path_factory):
    folder = tmp_path_factory.mktemp("panel")
    outcomes.sweep(folder)
    (panel,) = outcomes.panels_of(folder)
    (found,) = attacker_charts(panel)
    return found


@pytest.mark.parametrize("name", STYLES)
def test_a_figure_is_as_wide_as_its_style_says_and_says_no_time(chart, name, tmp_path):
    style = STYLES[name]
    width = 72 * (style.wide if chart.wide else style.narrow)
    for turn in range(2):
        for kind in ("pdf", "svg", "png"):
            save(chart, tmp_path / f"{turn}.{kind}", style)
    svg = (tmp_path / "0.svg").read_text()
    assert float(re.search(r'<svg[^>]* width="([\d.]+)pt"', svg)[1]) == pytest.approx(width)
    pdf = (tmp_path / "0.pdf").read_bytes()
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+)", pdf)
    assert float(box[1]) == pytest.approx(width, abs=0.1)
    assert b"/Type3" not in pdf and b"CreationDate" not in pdf
    assert "#panel" not in svg and b"#panel" not in pdf  # rows of the page are not there
    for kind in ("pdf", "svg", "png"):
        assert (tmp_path / f"0.{kind}").read_bytes() == (tmp_path / f"1.{kind}").read_bytes()


@pytest.mark.parametrize("length", [4, 18, 36])
def test_a_legend_is_no_wider_than_its_figure(length):
    with drawing(PAPER):
        figure, axes = blank()
        for turn in range(6):
            axes.plot([0, 1], label=f"{turn} {'word' * length}"[:length])
        legend(figure, axes, 3)
        fit_legends(figure)
        figure.draw_without_rendering()
        (found,) = figure.legends
        assert found.get_window_extent().width <= figure.bbox.width
        assert (found._ncols > 1) == (length < 36)


@pytest.mark.parametrize("style", [None, *STYLES.values()])
def test_many_rows_of_a_legend_make_the_figure_taller_and_leave_the_axes(style, tmp_path):
    made = []

    def draw(theme):
        figure, axes = blank()
        for turn in range(20):
            axes.plot([0, 1], [turn, turn], label=f"dprs, rate 0.{turn}, noise multiplier 0.01")
        legend(figure, axes)
        made.append(figure)
        return figure

    chart = Chart("many", "Many", "many", draw)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save(chart, tmp_path / "many.png", style)
    (figure,) = made
    (axes,) = figure.axes
    (told,) = figure.legends
    inches = figure.get_size_inches()[1]
    assert axes.get_position().height * inches > 1
    assert told.get_window_extent().y1 <= axes.get_window_extent().y0
