"""The rounds of a scheduled defense: each a setting, and the one that counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from reports.panels.by_seed import BySeed, Guesses
from reports.panels.setting import Setting
from reports.records.inversion import InversionRecord
from reports.records.rounds import part_column, severity


def round_settings(
    group: Sequence[InversionRecord], whole: BySeed, anchor: str, guesses: Guesses
) -> dict[int, Setting]:
    """Every round of a setting by its step, pooled over seeds; nothing where there is one.

    Args:
        group: the Records of the panel.
        whole: the setting.
        anchor: starts the anchors of the rounds.
        guesses: see `Guesses`.
    """
    key = BySeed.key(whole.defense, whole.guarantee)
    found: dict[int, BySeed] = {}
    for record in group:
        for (name, attacker), scores in (*record.columns.items(), *record.rounds.items()):
            defense, step = part_column(name)
            counts = record.guarantees.get(defense)
            if counts is None or counts.round is None or BySeed.key(defense, counts) != key:
                continue
            step = counts.round.step if step is None else step
            own = record.guarantees[name]
            if name == defense:  # its options are those of the whole schedule
                own = replace(own, options={**own.options, **counts.round.options})
            found.setdefault(step, BySeed(defense, own)).add(record, attacker, scores)
    if len(found) < 2:
        return {}
    return {
        step: found[step].setting(f"{anchor}-round-{step}", f"step {step:,}", guesses)
        for step in sorted(found)
    }


def worst_round(setting: Setting, rounds: Mapping[int, Setting]) -> Setting:
    """The setting with the numbers of the round that gives most away over all of its seeds.

    Each Record counts the worst of its own: the mean of maxima grows with the noise, and over
    many seeds it would be told from guessing where no round can be.
    """
    first = setting.judged
    if not rounds or first is None or len(np.unique(first.seeds)) == 1:
        return setting
    step, worst = max(rounds.items(), key=lambda pair: _severity(pair[1]))
    held, own, whole = setting.guarantee.round, worst.guarantee, setting.guarantee.options
    assert held is not None  # or there were no rounds
    changed = {k: v for k, v in own.options.items() if v != whole.get(k)}
    told = replace(held, step=step, options=changed)
    guarantee = replace(own, options=whole, round=told)
    return replace(setting, guarantee=guarantee, scores=worst.scores)


def _severity(setting: Setting) -> tuple[float, float, float]:
    judged = setting.judged
    if judged is None:
        return 0.0, 0.0, 0.0
    ranks = judged.values["rank"]
    known = np.isfinite(judged.gains)
    return severity(judged.gains[known].tolist(), ranks[np.isfinite(ranks)].tolist())
