"""Charts in the page's colours, and drawing that leaves the caller's matplotlib alone."""

from __future__ import annotations

import re

import pytest
import torch

from reports.charts.chart import LINES, NIGHT, PAPER
from reports.charts.epsilon_by_step import course_chart
from reports.charts.exposed_members import exposed_chart
from reports.charts.reconstructions import reconstruction_chart
from reports.charts.render import to_svg, variables
from reports.charts.scores_by_step import step_chart
from reports.page.outline import build_outline
from reports.records import membership
from reports.records.find import gather
from reports.records.kinds import sort_out
from tests import fresh, outcomes
from tests.reports.charts.figures import inversion, moments

SILENT = """
import attacks, victims, reports, defenses, sys
assert not [name for name in sys.modules if name.startswith("matplotlib")]
from tests.reports.charts.figures import moments
from reports.charts.render import to_png, to_svg
from reports.charts.scores_by_step import step_chart
to_png(step_chart(moments())), to_svg(step_chart(moments()))
import matplotlib
assert "matplotlib.pyplot" not in sys.modules
assert matplotlib.get_backend() == "svg", matplotlib.get_backend()
"""


def test_imports_and_drawing_do_not_switch_a_notebooks_backend():
    fresh.run("-c", SILENT, MPLBACKEND="svg")


@pytest.fixture(scope="module")
def charts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    torch.manual_seed(0)
    outcomes.everything(folder)
    gathered = gather([folder])
    outline = build_outline(sort_out(gathered), "title")
    drawn = [
        *(chart for section in outline.sections for chart in section.charts),
        exposed_chart(membership.parse(outcomes.membership())),
        reconstruction_chart(inversion(torch.rand(2, 3, 8, 8))),
        step_chart(moments(rate=0.5)),
        course_chart([1, 2], [0.5, 1.0], {"gdp": [0.1, 0.2]}, 0.95),
    ]
    return list({chart.draw.func: chart for chart in drawn}.values())  # one of each kind


def test_every_colour_of_a_chart_is_the_pages(charts):
    for chart in charts:
        svg = to_svg(chart)
        assert re.findall(r"#[0-9a-fA-F]{6}\b", svg) == [], chart.key
        assert set(re.findall(r"var\((--[a-z0-9-]+)\)", svg)) <= set(variables(PAPER))
        assert "var(--" in svg
    assert len(charts) > 8


def test_themes_tell_as_many_lines_apart():
    for theme in (PAPER, NIGHT):
        assert len(set(theme.series)) == len(theme.series) == LINES
