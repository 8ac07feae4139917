from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import pytest

from reports.page.outline import IN_FULL, build_outline
from reports.records.find import gather
from reports.records.kinds import sort_out
from reports.records.store import open_record, write

KEPT = Path(__file__).parents[2] / "fixtures/records/membership-v1"


@pytest.mark.parametrize("count", [2, IN_FULL + 1])
def test_of_many_memberships_the_first_are_drawn_and_all_are_in_the_table(count, tmp_path):
    record = open_record(KEPT)
    for seed in range(count):
        scenario = {**copy.deepcopy(record.scenario), "seed": seed}
        write(dataclasses.replace(record, scenario=scenario), tmp_path / f"{seed:02}")
    outline = build_outline(sort_out(gather([tmp_path])), "title")
    (section,) = (s for s in outline.sections if s.anchor == "memberships")
    drawn = min(count, IN_FULL)
    assert len(section.charts) == 2 * drawn  # the curve and the scores of each
    assert len(section.table.rows) >= count
    said = [note for note in section.notes if note.startswith("Scores and the most exposed")]
    assert bool(said) == (count > IN_FULL)
    assert all(str(count) in note for note in said)
