"""How often a panel says of settings without a leak that they leak."""

from __future__ import annotations

import math

import numpy as np
import pytest

from reports.panels import verdicts
from reports.panels.pooled import EXCEEDS, GAIN, NAMES, PooledScores
from reports.panels.setting import ALPHA, Setting
from reports.records.inversion import Guarantee

PANELS = 3000


def setting(turn: int, attackers: tuple[str, ...]) -> Setting:
    nothing = np.zeros(0)
    scores = {a: PooledScores(nothing.astype(int), nothing.astype(int), {}) for a in attackers}
    return Setting(str(turn), "dprs", Guarantee({}, math.inf, 1e-5, 64, 0.5), scores, (), str(turn))


@pytest.mark.parametrize(
    "panel",
    [
        [("adaptive",)],
        [("adaptive", "naive")],
        [("naive",), ("adaptive", "naive"), ("adaptive", "naive")],
        [("naive",), ("adaptive",)],
    ],
    ids=repr,
)
def test_a_panel_says_of_nothing_that_it_leaks_as_seldom_as_is_told(monkeypatch, panel):
    """With independent p values that are as uniform as those of an exact test: the worst case."""
    draw = np.random.default_rng(0)

    def alone(self, test, guarantee):
        if test == NAMES:  # whoever exceeds what is allowed is named above chance as well
            object.__setattr__(self, "last", draw.uniform())
        return self.last if test != EXCEEDS else max(self.last, draw.uniform())

    monkeypatch.setattr(PooledScores, "alone", alone)
    monkeypatch.setattr(
        verdicts, "_gain_ps", lambda scores: verdicts.holm(draw.uniform(size=len(scores)))
    )
    settings = [setting(turn, attackers) for turn, attackers in enumerate(panel)]
    said = sum(
        any(s.shows(test) for s in verdicts.judge(settings) for test in (GAIN, NAMES, EXCEEDS))
        for _ in range(PANELS)
    )
    spread = math.sqrt(ALPHA * (1 - ALPHA) / PANELS)
    assert ALPHA / 2 < said / PANELS < ALPHA + 3 * spread
