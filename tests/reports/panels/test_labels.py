from __future__ import annotations

import math

import pytest

from reports import records
from reports.panels.labels import fold, setting_labels
from reports.records.inversion import Guarantee
from tests import outcomes
from tests.outcomes import panels_of


def test_titles_tell_panels_apart(tmp_path):
    for turn, changed in enumerate(
        ({}, {"budget": 5.0}, {"state": "runs/a/w.safetensors"}, {"state": "runs/b/w.safetensors"})
    ):
        records.write(outcomes.inversion(**changed), tmp_path / str(turn))
    titles = [p.title for p in panels_of(tmp_path)]
    assert len(set(titles)) == 4
    assert any("budget 5.0" in t for t in titles)
    assert any("runs/a/w" in t for t in titles)


def test_ones_own_model_is_not_called_untrained(tmp_path):
    """It comes with the weights that it has, which nobody knows to be the first ones."""
    for turn, model in enumerate(("lenet", "mynet:trained", "timm:resnet10t")):
        record = outcomes.inversion()
        record.scenario["model"] = model
        records.write(record, tmp_path / str(turn))
    titles = sorted(p.title.split(", ")[1] for p in panels_of(tmp_path))
    assert titles == ["untrained", "untrained", "weights as given"]


def test_settings_are_named_apart_to_the_last_digit():
    held = [Guarantee({"rate": r, "clip": 1.0}, math.inf, 0.0, 0, 1.0) for r in (0.5, 0.5 + 1e-9)]
    one, two = setting_labels([("dprs", g) for g in held])
    assert one == "dprs rate 0.5" and two.startswith("dprs rate 0.50000")


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("dpsgd noise 0.01", "dpsgd noise 0.01"),
        ("dprs rate 0.9, worst of 3 rounds", "dprs rate 0.9, worst\nof 3 rounds"),
        (
            "one two three four five six seven eight nine ten",
            "one two three four\nfive six seven eigh…",
        ),
    ],
)
def test_a_long_label_takes_two_lines_before_it_is_cut(text, folded):
    assert fold(text, 20) == folded
