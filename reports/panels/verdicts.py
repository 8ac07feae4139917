"""Tests of all settings of a panel together, each corrected for there being the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from reports.estimates.intervals import FEWEST, Values, p_above_zero
from reports.estimates.signs import corrected_p, holm
from reports.panels.panel import Setting
from reports.panels.pooled import EXCEEDS, GAIN, NAMES, PooledScores
from reports.records.column import ATTACKERS


def judge(settings: Sequence[Setting]) -> list[Setting]:
    """The settings with every column's tests corrected over those of the same attacker.

    Of the candidate game after Holm 1979. A gain must be shown twice: over sign patterns of the
    images, which all settings share (`signs.corrected_p`), and by its interval, after Holm. Where
    the worst of several rounds counts, it pays for there being the others too (Bonferroni).
    """
    found = list(settings)
    for name in ATTACKERS:
        own = [s for s in settings if name in s.scores]
        if not own:
            continue
        columns = [s.scores[name] for s in own]
        tests = {GAIN: _gain_ps(columns)}
        for test in (NAMES, EXCEEDS):
            tests[test] = holm([s.scores[name].alone(test, s.guarantee) for s in own])
        for turn, (setting, column) in enumerate(zip(own, columns, strict=True)):
            tried = _rounds_tried(setting)
            corrected = {t: min(1.0, tried * ps[turn]) for t, ps in tests.items()}
            judged = replace(column, corrected=corrected)
            place = next(i for i, s in enumerate(found) if s.anchor == setting.anchor)
            found[place] = replace(found[place], scores={**found[place].scores, name: judged})
    return found


def _rounds_tried(setting: Setting) -> int:
    """How many rounds the one that counts was picked from."""
    counts = setting.guarantee.round
    return max(1, len(counts.attacked)) if counts else 1


def _gain_ps(columns: Sequence[PooledScores]) -> list[float]:
    """Corrected p of every column's gain; 1 for one with too few images."""
    found = [1.0] * len(columns)
    places = [i for i, c in enumerate(columns) if np.isfinite(c.gains).sum() >= FEWEST]
    if not places:
        return found
    own = [columns[i] for i in places]
    sides = holm([_interval_p(c) for c in own])
    for place, *ps in zip(places, corrected_p(_gain_table(own)), sides, strict=True):
        found[place] = float(max(ps))
    return found


def _interval_p(column: PooledScores) -> float:
    known = np.isfinite(column.gains)
    return p_above_zero(column.gains[known], column.seeds[known])


def _gain_table(columns: Sequence[PooledScores]) -> Values:
    """(K, N) gains, a column per unit that any of them has; NaN where one lacks it."""
    names = [list(zip(c.seeds.tolist(), c.images.tolist(), strict=True)) for c in columns]
    units = {unit: turn for turn, unit in enumerate(sorted({u for own in names for u in own}))}
    table = np.full((len(columns), len(units)), np.nan)
    for row, own, column in zip(table, names, columns, strict=True):
        row[[units[u] for u in own]] = column.gains
    return table
