"""How often a panel says of settings without a leak that they leak."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from reports.panels import verdicts
from reports.panels.pooled import EXCEEDS, GAIN, NAMES, PooledScores
from reports.panels.setting import ALPHA, Setting
from reports.records.inversion import Guarantee
from reports.records.rounds import Round

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
        verdicts, "_gain_ps", lambda some, _: verdicts.holm(draw.uniform(size=len(some)))
    )
    settings = [setting(turn, attackers) for turn, attackers in enumerate(panel)]
    said = sum(
        any(s.shows(test) for s in verdicts.judge(settings) for test in (GAIN, NAMES, EXCEEDS))
        for _ in range(PANELS)
    )
    spread = math.sqrt(ALPHA * (1 - ALPHA) / PANELS)
    assert ALPHA / 2 < said / PANELS < ALPHA + 3 * spread


def scheduled(gains: np.ndarray, attackers: tuple[str, ...] = ("adaptive", "naive")) -> Setting:
    """A setting whose worst of several rounds counts; a row of gains (in dB) per round."""
    rounds = []
    for turn, own in enumerate(gains):
        images = np.arange(len(own))
        values = {"psnr": 20.0 + own, "prior": np.full(len(own), 20.0)}
        values |= {name: np.full(len(own), np.nan) for name in ("rank", "candidates")}
        scores = {a: PooledScores(np.zeros_like(images), images, values) for a in attackers}
        counted = Round(turn, 3, attacked=(0, 1, 2))
        named = Guarantee({}, math.inf, 1e-5, 64, 0.5, counted)
        rounds.append(Setting(str(turn), "dprs", named, scores, (), str(turn)))
    worst = rounds[int(np.argmax(gains.mean(1)))]
    return dataclasses.replace(worst, rounds=tuple(rounds))


def test_eight_images_of_three_rounds_show_what_all_of_them_show():
    gains = 5 + np.random.default_rng(0).normal(size=(3, 8))
    (found,) = verdicts._gain_ps([scheduled(gains)], "adaptive")
    assert verdicts.looks_of([scheduled(gains)], "adaptive") * found < ALPHA


def test_the_worst_of_rounds_without_a_leak_is_told_no_more_often_than_one_round(monkeypatch):
    """By sign patterns alone; one that knew nothing of the other rounds would be."""
    monkeypatch.setattr(PooledScores, "interval_p", 0.0)
    draw, level, repeats = np.random.default_rng(0), 0.1, 1500
    together = alone = 0
    for _ in range(repeats):
        one = scheduled(draw.normal(size=(3, 8)), ("adaptive",))
        together += verdicts._gain_ps([one], "adaptive")[0] <= level
        single = dataclasses.replace(one.guarantee, round=None)
        bare = dataclasses.replace(one, rounds=(), guarantee=single)
        alone += verdicts._gain_ps([bare], "adaptive")[0] <= level
    spread = math.sqrt(level * (1 - level) / repeats)
    assert together / repeats < level + 3 * spread < alone / repeats
