"""Members who are found out, of any images and under any label."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from reports.charts.chart import PAPER
from reports.charts.exposed_members import exposed_chart
from reports.charts.render import save
from reports.records import membership
from tests import outcomes


@pytest.mark.parametrize("shape", [(1, 8, 8), (4, 1, 1), (13, 5, 5)])
def test_members_of_any_shape_are_drawn_with_whom_else_they_accuse(shape, tmp_path):
    record = outcomes.membership(pictures=0)
    record = dataclasses.replace(record, arrays=record.arrays | {"exposed": torch.rand(10, *shape)})
    record.rows[0]["label"] = "$x"  # no formula
    chart = exposed_chart(membership.parse(record))
    assert save(chart, tmp_path / "exposed.png").stat().st_size > 1000
    drawn = [axes for axes in chart.draw(PAPER).axes if axes.images]
    assert len(drawn) == 10
    mine = [row for row in record.rows if row["member"]]
    for axes, row in zip(drawn, mine, strict=False):
        assert axes.get_xlabel() == f"{row['label'][:14]}\n{row['false_alarms']} of 200"


def test_a_record_without_pictures_gives_a_figure_without_any():
    found = membership.parse(outcomes.membership(pictures=0))
    assert not any(axes.images for axes in exposed_chart(found).draw(PAPER).axes)
