from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from reports import Record, load
from reports.page.card import card, record_chart
from tests import outcomes

FIXTURES = Path(__file__).parents[2] / "fixtures" / "records"
KINDS = sorted(path.name for path in FIXTURES.iterdir())


@pytest.mark.parametrize("name", KINDS)
def test_a_record_of_every_kind_shows_a_line_a_picture_and_a_figure(name):
    record = load(FIXTURES / name)
    assert repr(record).startswith(f"<{record.kind} of {record.scenario['model']} on digits")
    assert len(repr(record)) < 400 and "\n" not in repr(record)
    html = record._repr_html_()
    assert html.count("data:image/png;base64,") == 1
    assert not re.findall(r'(?:src|href)="(?!data:)', html)
    assert record.plot()._repr_png_().startswith(b"\x89PNG")


def test_the_line_says_what_was_found():
    record = load(FIXTURES / "inversion-v1")
    told = record.summary["dprs/adaptive"]["psnr"]
    assert f"dprs/adaptive {told['mean']:.1f} [{told['low']:.1f}" in repr(record)
    assert "8 images" in repr(record)
    assert "@" not in repr(record)  # other rounds do not count
    assert "epsilon at least 0, 3 claimed (gdp: consistent)" in repr(load(FIXTURES / "audit-v1"))
    assert "loss AUC 0.67 [0.52, 0.79]" in repr(load(FIXTURES / "membership-v1"))
    assert "accuracy 16.8% [13.8%, 20.3%]" in repr(load(FIXTURES / "training-v1"))


def test_hostile_text_of_a_record_is_text():
    record = outcomes.inversion(defense=outcomes.HOSTILE, model=outcomes.HOSTILE)
    html = card(record)
    assert "<script" not in html and "<img src=x" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize("kind", ["inversion", "membership", "audit", "training", "else"])
def test_what_cannot_be_drawn_is_still_shown(kind):
    arrays = {"dprs/adaptive": torch.rand(1, 1, 4, 4)}
    record = Record(kind, {}, [{"odd": 1}], {"x": 3}, {}, {}, {}, arrays)
    assert repr(record).startswith(f"<{kind} of ?, 1 ")
    assert "No picture: " in record._repr_html_()
    with pytest.raises(ValueError, match=r"^\S.* \S+"):
        record.plot()


def test_rows_become_a_table():
    pandas = pytest.importorskip("pandas")
    record = load(FIXTURES / "membership-v1")
    frame = record.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame["scores.loss"].tolist() == [row["scores"]["loss"] for row in record.rows]
    assert len(load(FIXTURES / "inversion-v1").to_pandas()) == len(
        load(FIXTURES / "inversion-v1").rows
    )


def test_a_chart_of_a_training_has_a_point_for_every_epoch():
    chart = record_chart(load(FIXTURES / "training-v1"))
    assert chart is not None
    (axes,) = load(FIXTURES / "training-v1").plot().axes
    assert axes.get_lines()[0].get_xdata().tolist() == [1.0, 2.0]
