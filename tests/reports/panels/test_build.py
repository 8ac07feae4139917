from __future__ import annotations

import pytest

from reports import records
from tests import outcomes
from tests.outcomes import panels_of


def test_panels_hold_what_differs_in_the_defense_alone(tmp_path):
    outcomes.sweep(tmp_path)
    (panel,) = panels_of(tmp_path)
    assert panel.title == "lenet, untrained, photos, 8 images \N{MULTIPLICATION SIGN} 2 seeds"
    assert [s.label for s in panel.settings][:3] == [
        "none",
        "dprs rate 0, noise 0",
        "dprs rate 0.9, noise 0",
    ]
    assert len(panel.settings) == 1 + len(outcomes.RATES) * len(outcomes.NOISES)


def test_a_setting_in_many_records_counts_once(tmp_path):
    outcomes.sweep(tmp_path)
    (panel,) = panels_of(tmp_path)
    none = panel.settings[0]
    assert len(none.scores["adaptive"].images) == 16
    assert [s.record.scenario["seed"] for s in none.sources] == [0, 1]
    assert [note for note in panel.notes if "Attacks were timed (10.0 s" not in note] == []
    assert len(panel.notes) == 1  # of an older version, whose every attack had a clock


def test_a_repetition_with_other_scores_is_said(tmp_path):
    records.write(outcomes.inversion(level=24.0), tmp_path / "a")
    records.write(outcomes.inversion(level=30.0), tmp_path / "b")
    (panel,) = panels_of(tmp_path)
    assert panel.settings[0].estimate("adaptive", "psnr").mean == pytest.approx(24, abs=0.3)
    assert "1 over 2" in panel.notes[0]


def test_a_field_that_older_records_lack_splits_no_panel(tmp_path):
    records.write(outcomes.inversion(), tmp_path / "old")
    records.write(outcomes.inversion(seed=1, state_sha256=None), tmp_path / "new")
    records.write(outcomes.inversion(seed=1, state_sha256="ab"), tmp_path / "other")
    assert len(panels_of(tmp_path)) == 2
