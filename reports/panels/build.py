"""From Records to panels: what differs in the defense alone is compared, seeds are pooled."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from reports.evidence.control import NO_CONTROL, UNDEFENDED, control
from reports.panels.labels import panel_titles, setting_labels
from reports.panels.panel import Panel, PooledScores, Setting
from reports.panels.verdicts import judge
from reports.records.column import ATTACKERS
from reports.records.find import Source
from reports.records.inversion import Guarantee, InversionRecord, Scores
from reports.records.options import CLIP, NOISE, RATE
from reports.records.rounds import parted, severity


def build_panels(found: Sequence[InversionRecord], start: str = "") -> list[Panel]:
    """Group Records into panels and pool each setting; ``start`` opens every anchor."""
    groups: dict[str, list[InversionRecord]] = {}
    for one in found:
        groups.setdefault(json.dumps(one.panel, sort_keys=True), []).append(one)
    panels = [
        _panel(group, f"{start}panel-{turn}") for turn, group in enumerate(groups.values(), 1)
    ]
    for panel, title in zip(panels, panel_titles(panels), strict=True):
        panel.title = title
    return sorted(panels, key=lambda p: p.title)


def _panel(group: Sequence[InversionRecord], anchor: str) -> Panel:
    prior: dict[int, Scores] = {}
    for one in group:
        if one.prior is not None:
            prior.setdefault(one.seed, one.prior)
    guesses = {
        seed: dict(zip(p.images.tolist(), p.values["psnr"], strict=True))
        for seed, p in prior.items()
    }
    pieces: dict[str, dict[str, dict[int, tuple[InversionRecord, Scores]]]] = {}
    first: dict[str, tuple[str, Guarantee]] = {}
    twice: dict[int, list[int]] = {}
    for one in group:
        for (defense, column), scores in one.columns.items():
            guarantee = one.guarantees[defense]
            key = _key(defense, guarantee)
            first.setdefault(key, (defense, guarantee))
            seeds = pieces.setdefault(key, {}).setdefault(column, {})
            if one.seed in seeds:
                before = seeds[one.seed]
                same = np.array_equal(
                    before[1].values["psnr"], scores.values["psnr"], equal_nan=True
                )
                if not same:
                    others = twice.setdefault(before[0].source.number, [])
                    others += {one.source.number} - set(others)
                continue
            seeds[one.seed] = (one, scores)
    order = sorted(first, key=lambda k: _order(*first[k]))
    labels = setting_labels([first[k] for k in order])
    settings = []
    for turn, (key, label) in enumerate(zip(order, labels, strict=True), 1):
        name = f"{anchor}-setting-{turn}"
        columns = {c: _column(pieces[key][c], guesses) for c in ATTACKERS if c in pieces[key]}
        own = _sources([o for seeds in pieces[key].values() for o, _ in seeds.values()])
        rounds = _rounds(group, key, name, guesses)
        setting = Setting(name, *first[key], columns, own, label, rounds=tuple(rounds.values()))
        settings.append(_worst(setting, rounds))
    able = _control(settings)
    settings = [
        replace(s, control=able, rounds=tuple(replace(r, control=able) for r in s.rounds))
        for s in settings
    ]
    pooled = _joined(prior, guesses) if prior else None
    notes = []
    if twice:
        told = [f"{kept} over {', '.join(map(str, others))}" for kept, others in twice.items()]
        notes.append(
            "Some records repeat a setting and seed of an earlier one with other scores, as a "
            f"clock that cuts attacks short makes them do. The earlier counts: {'; '.join(told)}."
        )
    notes += timed(group[0].panel)
    return Panel(
        anchor, group[0].panel, "", judge(settings), pooled, [o.source for o in group], notes
    )


def _key(defense: str, guarantee: Guarantee) -> str:
    """What is pooled over seeds: a defense, its options, and the rounds that were tried."""
    attacked = guarantee.round.attacked if guarantee.round else ()
    return json.dumps([defense, guarantee.options, attacked], sort_keys=True)


def _rounds(
    group: Sequence[InversionRecord], key: str, anchor: str, guesses: dict[int, dict[int, float]]
) -> dict[int, Setting]:
    """Every round of a setting by its step, pooled over seeds; nothing where there is one."""
    found: dict[int, dict[str, dict[int, tuple[InversionRecord, Scores]]]] = {}
    told: dict[int, Guarantee] = {}
    for one in group:
        for (name, column), scores in (*one.columns.items(), *one.rounds.items()):
            defense, step = parted(name)
            counts = one.guarantees.get(defense)
            if counts is None or counts.round is None or _key(defense, counts) != key:
                continue
            step = counts.round.step if step is None else step
            own = one.guarantees[name]
            if name == defense:  # its options are those of the whole schedule
                own = replace(own, options={**own.options, **counts.round.options})
            told.setdefault(step, own)
            found.setdefault(step, {}).setdefault(column, {}).setdefault(one.seed, (one, scores))
    if len(found) < 2:
        return {}
    return {
        step: Setting(
            f"{anchor}-round-{step}",
            json.loads(key)[0],
            told[step],
            {c: _column(found[step][c], guesses) for c in ATTACKERS if c in found[step]},
            _sources([o for seeds in found[step].values() for o, _ in seeds.values()]),
            f"step {step:,}",
        )
        for step in sorted(found)
    }


def _worst(setting: Setting, rounds: Mapping[int, Setting]) -> Setting:
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
    column = setting.judged
    if column is None:
        return 0.0, 0.0, 0.0
    ranks = column.values["rank"]
    known = np.isfinite(column.gains)
    return severity(column.gains[known].tolist(), ranks[np.isfinite(ranks)].tolist())


def _control(settings: Sequence[Setting]) -> str:
    """Whether the attack rebuilds what the panel's undefended updates were made from."""
    bare = next((s for s in settings if s.defense == UNDEFENDED), None)
    if bare is None or bare.judged is None:
        return NO_CONTROL
    return control(bare.judged.values["psnr"], bare.judged.values["prior"])


def timed(facts: Mapping[str, Any]) -> list[str]:
    """That a clock could stop the attacks of these Records, as it did in all of older versions."""
    if facts.get("budget") is None:
        return []
    return [
        f"Attacks were timed ({facts['budget']!s:.20} s per image): what the clock cut short "
        "depends on the machine that ran them."
    ]


def _column(
    seeds: dict[int, tuple[InversionRecord, Scores]], guesses: dict[int, dict[int, float]]
) -> PooledScores:
    return _joined({seed: scores for seed, (_, scores) in seeds.items()}, guesses)


def _joined(seeds: dict[int, Scores], guesses: dict[int, dict[int, float]]) -> PooledScores:
    """Scores of several seeds as one PooledScores, seeds in ascending order."""
    parts = sorted(seeds.items())
    values = {n: np.concatenate([s.values[n] for _, s in parts]) for n in parts[0][1].values}
    values["prior"] = np.array(
        [guesses.get(seed, {}).get(int(i), math.nan) for seed, s in parts for i in s.images]
    )
    owners = np.concatenate([np.full(len(s.images), seed) for seed, s in parts])
    return PooledScores(owners, np.concatenate([s.images for _, s in parts]), values)


def _sources(found: Sequence[InversionRecord]) -> tuple[Source, ...]:
    own = {one.source.number: one.source for one in found}
    return tuple(own[n] for n in sorted(own))


def _order(defense: str, guarantee: Guarantee) -> tuple[Any, ...]:
    options = guarantee.options
    numbers = [float(options.get(n, 0)) for n in (NOISE, RATE, CLIP)]
    return (defense != UNDEFENDED, defense, *numbers, json.dumps(options, sort_keys=True))
