"""What a sweep says of a Scenario that is done: means with their intervals."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports import records
from reports.estimates import Estimate
from reports.sweep.progress import numbers_of
from tests import outcomes

FIXTURES = Path(__file__).parents[2] / "fixtures" / "records"


@pytest.mark.parametrize("kind", ["inversion", "membership", "audit", "training"])
def test_every_mean_of_a_progress_line_has_its_interval(kind):
    said = numbers_of(FIXTURES / f"{kind}-v1")
    parts = said.split(", ")
    assert said and len(said.split("[")) == said.count(" [") + 1 >= 2
    assert said.count("[") * 2 == len(parts)  # each interval has one comma


def test_a_mean_without_an_interval_is_shown_as_it_is_and_none_is_left_out(tmp_path):
    record = outcomes.inversion()
    record.summary.clear()
    record.summary["dprs/adaptive"] = {"psnr": Estimate(19.26, n=3).document()}
    record.summary["dprs/naive"] = {"psnr": Estimate(float("nan")).document()}
    record.rows[0]["stopped"] = "time"
    records.write(record, tmp_path)
    assert numbers_of(tmp_path) == "dprs/adaptive psnr 19.3 (cut short by the clock)"
    assert numbers_of(tmp_path / "none") == "its Record cannot be read"
