"""Grids of reconstructions of images of any number of channels and any size."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from reports.charts.chart import PAPER
from reports.charts.reconstructions import MAX_ROWS, reconstruction_chart
from reports.charts.render import save
from tests.reports.charts.figures import inversion


@pytest.mark.parametrize(("channels", "edge", "count"), [(2, 8, 2), (4, 1, 2), (13, 5, 40)])
def test_images_of_any_shape_are_drawn(channels, edge, count, tmp_path):
    chart = reconstruction_chart(inversion(torch.rand(count, channels, edge, edge)))
    assert "none adaptive 20.0 [19.0, 21.0]" in chart.alt
    assert save(chart, tmp_path / "grid.png").stat().st_size > 1000
    figure = chart.draw(PAPER)
    assert len(figure.axes) == 3 * min(count, MAX_ROWS)
    note = figure.texts[-1].get_text()
    assert (f"{count - MAX_ROWS} more images not drawn" in note) == (count > MAX_ROWS)
    assert f"grey: the mean of {channels} channels" in note


def test_a_record_without_truth_shows_the_guesses_alone():
    found = inversion(torch.rand(2, 3, 8, 8))
    bare = dataclasses.replace(found, arrays={"none/adaptive": found.arrays["truth"]}, baseline={})
    figure = reconstruction_chart(bare).draw(PAPER)
    assert len(figure.axes) == 2
    assert figure.axes[0].get_xlabel() == "20.0 dB\n- / -"
    assert figure.axes[0].get_title() == "none\nadaptive attack\n20.0 [19.0, 21.0]"
