from __future__ import annotations

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import binomtest

from reports import records
from reports.pictures.gallery import build_galleries
from reports.records.find import gather
from reports.records.kinds import sort_out
from reports.tables.exposed import exposed_table
from tests import outcomes


def galleries_of(folder):
    return build_galleries(sort_out(gather([folder])).memberships)


def test_the_most_exposed_members_come_with_whom_else_they_accuse(tmp_path):
    record = outcomes.membership()
    records.write(record, tmp_path)
    (gallery,) = galleries_of(tmp_path)
    mine = [row for row in record.rows if row["member"]][:10]
    table = exposed_table(gallery.anchor, gallery.source, gallery.members)
    assert len(gallery.pictures) == len(table.rows) == 10
    for turn, (picture, row) in enumerate(zip(gallery.pictures, mine, strict=True), 1):
        first, example, alarms, rate = picture.caption.split("\n")
        assert first.startswith(f"#{turn} ") and example == f"example {row['example']}"
        assert alarms == f"{row['false_alarms']} of 200 others"
        edges = binomtest(row["false_alarms"], 200).proportion_ci(0.95, "exact")
        share = row["false_alarms"] / 200
        assert rate == f"{share:.1%} [{100 * edges.low:.1f}, {100 * edges.high:.1f}]"
        drawn = np.asarray(Image.open(io.BytesIO(picture.data)))
        expected = record.arrays["exposed"][turn - 1, 0].mul(255).round().byte().numpy()
        assert np.array_equal(drawn, expected)
    assert "attack lira. Below each" in gallery.note
    assert len(gallery.pictures[0].caption.split("\n")[0]) < 50  # its label is long


def test_several_records_show_fewer_members_each(tmp_path):
    for name in ("a", "b"):
        records.write(outcomes.membership(pictures=12), tmp_path / name)
    first, second = galleries_of(tmp_path)
    assert len(first.pictures) == len(second.pictures) == 8
    assert first.anchor != second.anchor
    assert "Below each" in first.note and "Below each" not in second.note
    records.write(outcomes.membership(pictures=12), tmp_path / "c" / "alone")
    (alone,) = galleries_of(tmp_path / "c")
    assert len(alone.pictures) == 12


@pytest.mark.parametrize(
    ("pictures", "shown", "drawn"),
    [
        (None, 8, 0),
        (torch.zeros(3), 8, 0),
        (torch.zeros(4, 5, 8, 8), 4, 4),
        (torch.zeros(4, 1, 0, 8), 8, 0),
        (torch.zeros(4, 1, 8, 8, dtype=torch.uint8), 8, 0),
        (torch.full((4, 3, 8, 8), math.nan), 4, 4),
        (torch.full((4, 3, 8, 8), math.inf), 4, 4),
        (torch.rand(300, 1, 100, 2), 16, 16),
    ],
)
def test_exposed_members_whose_pictures_cannot_be_drawn_are_listed(
    tmp_path, pictures, shown, drawn
):
    record = outcomes.membership()
    del record.arrays["exposed"]
    if pictures is not None:
        record.arrays["exposed"] = pictures
    records.write(record, tmp_path)
    (gallery,) = galleries_of(tmp_path)
    assert len(gallery.pictures) == shown
    assert sum(bool(t.data) for t in gallery.pictures) == drawn


def test_a_record_without_rows_or_without_members_exposes_nobody(tmp_path):
    for name, kept in (("none", []), ("others", [False]), ("members", [True])):
        record = outcomes.membership()
        record.rows[:] = [r for r in record.rows if r["member"] in kept]
        for row in record.rows:
            row["false_alarms"] = 0
        records.write(record, tmp_path / name)
        assert galleries_of(tmp_path / name) == ()
