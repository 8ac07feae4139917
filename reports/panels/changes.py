"""What changed between two sets of Records, paired by the images that both attacked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from reports.estimates import Estimate
from reports.estimates.intervals import FEWEST, Seeds, Values
from reports.estimates.paired import ALPHA, paired_test
from reports.estimates.signs import holm
from reports.evidence.control import CANNOT_JUDGE, doubt
from reports.panels.build import build_panels
from reports.panels.panel import Panel
from reports.panels.pooled import PooledScores
from reports.panels.setting import UNKNOWN, Setting
from reports.records.inversion import InversionRecord
from reports.scores import SCORES

MORE, LESS, UNCHANGED = "leaks more", "leaks less", "no change shown"


@dataclass(frozen=True)
class Change:
    """One score under one attacker of one setting, before and after.

    Attributes:
        panel: title of the panel.
        old: the setting in the first set of Records.
        new: the setting in the second set; its defense may have another name.
        attacker: ``adaptive`` or ``naive``.
        score: a name of `reports.scores.SCORES`.
        before: mean of the first set over the images that both have.
        after: mean of the second set over the same images.
        difference: ``after - before``; the interval is for this comparison alone, and ``n``
            counts pairs of one image of one seed.
        p: two-sided, adjusted after Holm for all settings of the same attacker and score.
        doubt: why finding less afterwards is no evidence, see `control.doubt`; may be empty.
    """

    panel: str
    old: Setting
    new: Setting
    attacker: str
    score: str
    before: float
    after: float
    difference: Estimate
    p: float
    doubt: str = ""

    @property
    def setting(self) -> str:
        """Label of the setting; ``old -> new`` where the defense's name changed."""
        if self.old.defense == self.new.defense:
            return self.old.label
        return f"{self.old.label} -> {self.new.label}"

    @property
    def verdict(self) -> str:
        """One of `MORE`, `LESS`, `UNCHANGED`, `UNKNOWN` and `CANNOT_JUDGE`: it seems to leak less,
        and that is no evidence."""
        if self.difference.n < FEWEST:
            return UNKNOWN
        if self.p >= ALPHA:
            return UNCHANGED
        if SCORES[self.score].closer(self.difference.mean) > 0:
            return MORE
        return CANNOT_JUDGE if self.doubt else LESS


def compare(before: Sequence[InversionRecord], after: Sequence[InversionRecord]) -> list[Change]:
    """Every score of every setting that both sets have, in the order of the first.

    Settings are the same when victim, data, attack, defense and options are. Where a panel has
    one defense left on either side, at the same options, it is taken for a renamed one.
    """
    changes: list[Change] = []
    for panel, old, new in _pairs(before, after)[0]:
        for attacker in (a for a in old.scores if a in new.scores):
            one, other = old.scores[attacker], new.scores[attacker]
            wrong = attacker == "adaptive" and bool(new.guarantee.replay)
            why = doubt(new.control, other.clocked, misreplayed=wrong)
            for score, (was, now, seeds) in _match_images(one, other).items():
                gap, p = paired_test(now - was, seeds)
                change = Change(
                    panel=panel,
                    old=old,
                    new=new,
                    attacker=attacker,
                    score=score,
                    before=float(was.mean()),
                    after=float(now.mean()),
                    difference=gap,
                    p=p,
                    doubt=why,
                )
                changes.append(change)
    return _adjust(changes)


def unmatched_settings(
    before: Sequence[InversionRecord], after: Sequence[InversionRecord]
) -> list[str]:
    """A line for each setting that only one of the sets has."""
    return _pairs(before, after)[1]


def _pairs(
    before: Sequence[InversionRecord], after: Sequence[InversionRecord]
) -> tuple[list[tuple[str, Setting, Setting]], list[str]]:
    """Panel title, old and new setting of what both have; lines about the rest."""
    news = {_facts(p): p for p in build_panels(after)}
    pairs, lines = [], []
    for panel in build_panels(before):
        partner = news.pop(_facts(panel), None)
        if partner is None:
            lines.append(f"only in the first: {panel.title}")
            continue
        old = {_key(s): s for s in panel.settings}
        new = {_key(s): s for s in partner.settings}
        lost = {k: s for k, s in old.items() if k not in new}
        pairs += [(panel.title, s, new.pop(k)) for k, s in old.items() if k in new]
        if len({k[0] for k in lost}) == 1 and len({k[0] for k in new}) == 1:
            renamed = {k[1]: s for k, s in new.items()}
            found = [(k, s, renamed[k[1]]) for k, s in lost.items() if k[1] in renamed]
            pairs += [(panel.title, s, other) for _, s, other in found]
            for key, _, other in found:
                del lost[key], new[_key(other)]
        lines += [f"only in the first: {panel.title}: {s.label}" for s in lost.values()]
        lines += [f"only in the second: {panel.title}: {s.label}" for s in new.values()]
    lines += [f"only in the second: {panel.title}" for panel in news.values()]
    return pairs, lines


def _facts(panel: Panel) -> str:
    return json.dumps(panel.facts, sort_keys=True)


def _key(setting: Setting) -> tuple[str, str]:
    return setting.defense, json.dumps(setting.guarantee.options, sort_keys=True)


def _match_images(old: PooledScores, new: PooledScores) -> dict[str, tuple[Values, Values, Seeds]]:
    """Score -> (old, new, seeds), (n,) each, of the images that have it in both; n >= 1."""
    places = {unit: i for i, unit in enumerate(zip(new.seeds, new.images, strict=True))}
    units = list(enumerate(zip(old.seeds, old.images, strict=True)))
    both = [(i, places[unit]) for i, unit in units if unit in places]
    left, right = np.array(both, dtype=int).reshape(-1, 2).T
    found = {}
    for score in SCORES:
        was, now = old.values[score][left], new.values[score][right]
        known = np.isfinite(was) & np.isfinite(now)
        if known.any():
            found[score] = was[known], now[known], old.seeds[left][known]
    return found


def _adjust(changes: Sequence[Change]) -> list[Change]:
    """The changes with p adjusted (Holm 1979) within each attacker and score."""
    adjusted = list(changes)
    for family in {(c.attacker, c.score) for c in changes}:
        places = [i for i, c in enumerate(changes) if (c.attacker, c.score) == family]
        for place, p in zip(places, holm([changes[i].p for i in places]), strict=True):
            adjusted[place] = replace(changes[place], p=p)
    return adjusted
