"""From Records to panels: what differs in the defense alone is compared, seeds are pooled."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from reports.evidence.control import NO_CONTROL, UNDEFENDED, control
from reports.panels.by_seed import BySeed, guess_levels, pool_scores
from reports.panels.labels import panel_titles, setting_labels
from reports.panels.panel import Panel
from reports.panels.setting import Setting
from reports.panels.verdicts import judge
from reports.panels.worst_round import round_settings, worst_round
from reports.records.inversion import InversionRecord, Scores
from reports.records.options import CLIP, NOISE, RATE


def build_panels(found: Sequence[InversionRecord], start: str = "") -> list[Panel]:
    """Group Records into panels and pool each setting; ``start`` opens every anchor."""
    groups: dict[str, list[InversionRecord]] = {}
    for one in found:
        groups.setdefault(json.dumps(one.panel, sort_keys=True), []).append(one)
    panels = [
        _panel(group, f"{start}panel-{turn}") for turn, group in enumerate(groups.values(), 1)
    ]
    titled = zip(panels, panel_titles(panels), strict=True)
    return sorted((replace(p, title=title) for p, title in titled), key=lambda p: p.title)


def _panel(group: Sequence[InversionRecord], anchor: str) -> Panel:
    """The panel of Records that may be compared; it has no title yet."""
    priors: dict[int, Scores] = {}
    for one in group:
        if one.prior is not None:
            priors.setdefault(one.seed, one.prior)
    guesses = guess_levels(priors)
    held, notes = _collect(group)
    labels = setting_labels([(own.defense, own.guarantee) for own in held])
    settings = []
    for turn, (own, label) in enumerate(zip(held, labels, strict=True), 1):
        name = f"{anchor}-setting-{turn}"
        rounds = round_settings(group, own, name, guesses)
        setting = replace(own.setting(name, label, guesses), rounds=tuple(rounds.values()))
        settings.append(worst_round(setting, rounds))
    return Panel(
        anchor=anchor,
        facts=group[0].panel,
        title="",
        settings=judge(_with_control(settings)),
        prior=pool_scores(priors, guesses) if priors else None,
        sources=[one.source for one in group],
        notes=[*notes, *_clock_notes(group[0].panel)],
    )


def _collect(group: Sequence[InversionRecord]) -> tuple[list[BySeed], list[str]]:
    """What the Records hold of each setting, from no defense to much; what they hold twice."""
    found: dict[str, BySeed] = {}
    others: dict[int, list[int]] = {}
    for record in group:
        for (defense, attacker), scores in record.columns.items():
            guarantee = record.guarantees[defense]
            key = BySeed.key(defense, guarantee)
            held = found.setdefault(key, BySeed(defense, guarantee))
            held.asked = held.asked or record.asked == defense
            if guarantee.replay and not held.guarantee.replay:  # wrong in one seed, wrong in all
                held.guarantee = replace(held.guarantee, replay=guarantee.replay)
            first = held.add(record, attacker, scores)
            if first is not None:
                numbers = others.setdefault(first.source.number, [])
                numbers += {record.source.number} - set(numbers)
    notes = []
    if others:
        told = [f"{kept} over {', '.join(map(str, rest))}" for kept, rest in others.items()]
        notes.append(
            "Some records repeat a setting and seed of an earlier one with other scores, as a "
            f"clock that cuts attacks short makes them do. The earlier counts: {'; '.join(told)}."
        )
    return sorted(found.values(), key=_order), notes


def _order(held: BySeed) -> tuple[Any, ...]:
    """Sorts settings, from no defense to much noise, a high rate and a wide clip."""
    options = held.guarantee.options
    numbers = [float(options.get(n, 0)) for n in (NOISE, RATE, CLIP)]
    bare = held.defense == UNDEFENDED
    return (not bare, held.defense, *numbers, json.dumps(options, sort_keys=True))


def _with_control(settings: Sequence[Setting]) -> list[Setting]:
    """The settings and their rounds, told whether the attack rebuilds an undefended update."""
    bare = next((s.judged for s in settings if not s.defended), None)
    state = NO_CONTROL if bare is None else control(bare.values["psnr"], bare.values["prior"])
    return [
        replace(s, control=state, rounds=tuple(replace(r, control=state) for r in s.rounds))
        for s in settings
    ]


def _clock_notes(facts: Mapping[str, Any]) -> list[str]:
    """That a clock could stop the attacks of these Records, as it did in all of older versions."""
    if facts.get("budget") is None:
        return []
    return [
        f"Attacks were timed ({facts['budget']!s:.20} s per image): what the clock cut short "
        "depends on the machine that ran them."
    ]
