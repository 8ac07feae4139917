"""Tests of all settings of a panel together, each corrected for there being the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from reports.estimates.intervals import Values
from reports.estimates.signs import corrected_p, holm
from reports.panels.pooled import EXCEEDS, GAIN, NAMES, PooledScores
from reports.panels.setting import Setting
from reports.records.column import ATTACKERS

TESTS = 2
"""Gain and game, either of which can be told falsely. The game's own two, more often than by chance
and more often than is allowed, share nothing: where both are false, one is told only beside the
other, and else only one of them can be told falsely."""
SHARES = {"adaptive": 2 / 3, "naive": 1 / 3}
"""Of the chance of a false word, where a panel has both attackers: in all 1."""


def judge(settings: Sequence[Setting]) -> list[Setting]:
    """The settings with every attacker's tests corrected over all that this attacker was run on.

    Of the candidate game after Holm 1979. A gain must be shown twice: over sign patterns of the
    images, which all settings and rounds share (`signs.corrected_p`), and by its interval, after
    Holm. Where the worst of several rounds counts, interval and game pay for there being the others
    too (Bonferroni). Gain and game share the chance of a false word, and so do the attackers, see
    `SHARES`.
    """
    corrected = {
        attacker: _correct(settings, attacker, looks_of(settings, attacker))
        for attacker in ATTACKERS
    }
    return [
        replace(
            setting,
            scores={
                attacker: replace(scores, corrected=corrected[attacker][setting.anchor])
                for attacker, scores in setting.scores.items()
            },
        )
        for setting in settings
    ]


def looks_of(settings: Sequence[Setting], attacker: str) -> float:
    """By what every p of an attacker is multiplied: one over its share of the chance in a test."""
    run = {name for setting in settings for name in setting.scores}
    return TESTS / (SHARES[attacker] if len(run) > 1 else 1)


def _correct(
    settings: Sequence[Setting], attacker: str, looks: float
) -> dict[str, dict[str, float]]:
    """Anchor -> test -> corrected p of every setting that the attacker was run on.

    Args:
        settings: of the panel.
        attacker: of `ATTACKERS`.
        looks: see `looks_of`.
    """
    attacked = [s for s in settings if attacker in s.scores]
    ps = {GAIN: _gain_ps(attacked, attacker)}
    for test in (NAMES, EXCEEDS):
        alone = holm([s.scores[attacker].alone(test, s.guarantee) for s in attacked])
        ps[test] = [rounds_tried(s) * p for s, p in zip(attacked, alone, strict=True)]
    return {
        setting.anchor: {test: min(1.0, looks * own[turn]) for test, own in ps.items()}
        for turn, setting in enumerate(attacked)
    }


def rounds_tried(setting: Setting) -> int:
    """How many rounds the one that counts was picked from."""
    counts = setting.guarantee.round
    return max(1, len(counts.attacked)) if counts else 1


def _gain_ps(settings: Sequence[Setting], attacker: str) -> list[float]:
    """Corrected p of every gain, for its rounds too; 1 for one over too few images."""
    found = [1.0] * len(settings)
    places = [i for i, s in enumerate(settings) if s.scores[attacker].is_enough]
    if not places:
        return found
    own = [settings[i].scores[attacker] for i in places]
    rounds = [scores for i in places for scores in _scores_of_rounds(settings[i], attacker)]
    signs = corrected_p(_gain_table([*own, *rounds]))
    sides = holm([c.interval_p for c in own])
    for turn, (place, side) in enumerate(zip(places, sides, strict=True)):
        setting = settings[place]
        sign = rounds_unseen(setting, attacker) * signs[turn]
        found[place] = float(max(sign, rounds_tried(setting) * side))
    return found


def rounds_unseen(setting: Setting, attacker: str) -> int:
    """What the sign patterns of a gain pay for rounds: 1 where the gains of all are among them."""
    tried = rounds_tried(setting)
    return 1 if len(_scores_of_rounds(setting, attacker)) >= tried else tried


def _scores_of_rounds(setting: Setting, attacker: str) -> list[PooledScores]:
    found = [one.scores[attacker] for one in setting.rounds if attacker in one.scores]
    return [scores for scores in found if scores.is_enough]


def _gain_table(scores: Sequence[PooledScores]) -> Values:
    """(K, N) gains, a column for every unit that any of them has; NaN where one lacks it."""
    names = [list(zip(c.seeds.tolist(), c.images.tolist(), strict=True)) for c in scores]
    units = {unit: turn for turn, unit in enumerate(sorted({u for own in names for u in own}))}
    table = np.full((len(scores), len(units)), np.nan)
    for row, own, one in zip(table, names, scores, strict=True):
        row[[units[u] for u in own]] = one.gains
    return table
