"""The interval that a verdict names is the one that decided."""

from __future__ import annotations

import pytest

from reports.estimates.intervals import p_above_zero
from reports.evidence.judgements import judgements
from reports.panels import corrected, pooled, verdicts
from reports.panels.build import build_panels
from reports.panels.corrected import corrected_gain, together, why_not_shown
from reports.panels.pooled import GAIN
from reports.records import inversion
from tests import outcomes


def panel_of(count: int, level: float, images: int = 8, spread: float = 8.0):
    """One panel of so many settings at about ``level`` dB, guessing at 13, and the control."""
    found = [
        outcomes.inversion(
            rate=0.1 + turn / 100,
            level=level,
            naive=8.0,
            images=images,
            spread=spread,
            against={"none": 50.0},
        )
        for turn in range(count)
    ]
    for record in found:  # every image as easy to guess as the others: its gain varies
        for row in record.baseline["rows"]:
            row["psnr"] = 13.0
    (panel,) = build_panels([inversion.parse(record) for record in found])
    return panel


@pytest.mark.parametrize("level", [19.0, 23.0, 24.0, 30.0])
@pytest.mark.parametrize("count", [1, 4, 12])
def test_a_gain_is_shown_where_its_corrected_interval_is_above_nothing(count, level):
    panel = panel_of(count, level)
    for setting in (s for s in panel.settings if s.defended):
        found = corrected_gain(setting, panel, "adaptive")
        assert found.low <= setting.gain.low and found.high >= setting.gain.high
        if setting.shows(GAIN, "adaptive"):
            assert found.low > 0 and why_not_shown(setting, panel, "adaptive") == ""
        elif setting.gain.low > 0:
            told = why_not_shown(setting, panel, "adaptive")
            assert found.low <= 0 and f"{found.show()} dB" in told and "settings" in told


def test_a_gain_above_nothing_alone_says_why_it_is_not_enough():
    panel = panel_of(12, 24.0)
    (told, *_) = (one for one in judgements([panel], [], []) if "not shown" in one.reason)
    setting = next(s for s in panel.settings if s.label == told.subject)
    assert setting.gain.low > 0
    assert corrected_gain(setting, panel, "adaptive").show() in told.reason
    assert f"for {together(setting, panel)}" in told.reason
    assert together(setting, panel) == "13 settings and 2 attackers"


def test_too_few_images_for_so_much_are_named_as_the_reason(monkeypatch):
    monkeypatch.setattr(verdicts, "rounds_tried", lambda setting: 3)
    monkeypatch.setattr(corrected, "rounds_tried", lambda setting: 3)
    panel = panel_of(1, 25.0, spread=1.0)
    setting = panel.settings[1]
    assert not setting.shows(GAIN) and setting.gain.low > 0
    told = why_not_shown(setting, panel, "adaptive")
    at_once = "2 settings, 3 rounds and 2 attackers"
    assert told == f"too few images (8) for so much at once ({at_once})"


def test_what_is_clear_is_shown_beside_any_number_of_settings():
    panel = panel_of(90, 25.0, spread=1.0)
    setting = panel.settings[1]
    assert setting.shows(GAIN) and why_not_shown(setting, panel, "adaptive") == ""


def test_what_leaks_is_told_with_the_interval_that_decided():
    panel = panel_of(4, 30.0)
    found = [one for one in judgements([panel], [], []) if one.word == "leaks"]
    assert len(found) == 4
    for one in found:
        setting = next(s for s in panel.settings if s.label == one.subject)
        assert corrected_gain(setting, panel, "adaptive").show() in one.reason
        assert setting.gain.show() not in one.reason


def test_what_a_verdict_goes_by_is_computed_once_for_all_settings(monkeypatch):
    """A page of thousands of Records would else take time that grows with their square."""
    computed = []
    monkeypatch.setattr(
        pooled,
        "p_above_zero",
        lambda gains, seeds: computed.append(1) or p_above_zero(gains, seeds),
    )
    panel = panel_of(12, 30.0)
    assert len(judgements([panel], [], [])) == 12
    own = sum(len(s.scores) for s in panel.settings)
    assert 0 < len(computed) <= 2 * own  # before and after they are corrected
