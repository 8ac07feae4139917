"""What changed between two sets of Records, paired by the images that both attacked."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports.estimates.intervals import FEWEST, Seeds, Values
from reports.estimates.paired import ALPHA, paired_test
from reports.estimates.signs import holm
from reports.evidence.control import CANNOT_JUDGE, doubt
from reports.panels.build import build_panels
from reports.panels.panel import Panel, PooledScores, Setting
from reports.records.inversion import InversionRecord
from reports.scores import SCORES


@dataclass(frozen=True)
class Change:
    """One score of one setting, before and after.

    Attributes:
        panel: title of the panel.
        setting: label of the setting; ``old -> new`` where the defense's name changed.
        column: ``adaptive`` or ``naive``.
        score: ``psnr`` (dB), ``ssim`` or ``lpips``.
        before: mean over the images that both have.
        after: likewise.
        difference: ``after - before``.
        low: lower end of its 95% interval, for this comparison alone; NaN for too few pairs.
        high: upper end.
        pairs: images that both have; a pair is one image of one seed.
        p: two-sided, adjusted after Holm for all settings of the same column and score.
        verdict: ``leaks more``, ``leaks less``, ``no change shown``, ``too few images to say`` or
            ``cannot be judged``: it seems to leak less, and that is no evidence.
        doubt: why finding less afterwards is no evidence, see `control.doubt`; may be empty.
    """

    panel: str
    setting: str
    column: str
    score: str
    before: float
    after: float
    difference: float
    low: float
    high: float
    pairs: int
    p: float
    verdict: str
    doubt: str = ""


def compare(before: Sequence[InversionRecord], after: Sequence[InversionRecord]) -> list[Change]:
    """Every score of every setting that both sets have, in the order of the first.

    Settings are the same when victim, data, attack, defense and options are. Where a panel has
    one defense left on either side, at the same options, it is taken for a renamed one.
    """
    changes: list[Change] = []
    for panel, old, new in _pairs(before, after)[0]:
        label = old.label if old.defense == new.defense else f"{old.label} -> {new.label}"
        for column in (c for c in old.columns if c in new.columns):
            cut = bool(new.columns[column].values["clock"].any())
            why = doubt(new.control, cut)
            values = _matched(old.columns[column], new.columns[column])
            for score in SCORES:
                change = _change(values, score)
                if change is not None:
                    changes.append(
                        dataclasses.replace(
                            change, panel=panel, setting=label, column=column, doubt=why
                        )
                    )
    return _judged(changes)


def unmatched(before: Sequence[InversionRecord], after: Sequence[InversionRecord]) -> list[str]:
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


def _matched(old: PooledScores, new: PooledScores) -> dict[str, tuple[Values, Values, Seeds]]:
    """Score -> (old, new, seeds), (n,) each, of the images that both have."""
    places = {unit: i for i, unit in enumerate(zip(new.seeds, new.images, strict=True))}
    units = list(enumerate(zip(old.seeds, old.images, strict=True)))
    both = [(i, places[unit]) for i, unit in units if unit in places]
    left, right = np.array(both, dtype=int).reshape(-1, 2).T
    return {s: (old.values[s][left], new.values[s][right], old.seeds[left]) for s in SCORES}


def _change(values: dict[str, tuple[Values, Values, Seeds]], score: str) -> Change | None:
    old, new, seeds = values[score]
    known = np.isfinite(old) & np.isfinite(new)
    if not known.any():
        return None
    old, new, seeds = old[known], new[known], seeds[known]
    gap, p = paired_test(new - old, seeds)
    means = float(old.mean()), float(new.mean())
    return Change("", "", "", score, *means, gap.mean, gap.low, gap.high, len(old), p, "")


def _judged(changes: Sequence[Change]) -> list[Change]:
    """The changes with p adjusted (Holm 1979) and what it says."""
    judged = list(changes)
    for family in {(c.column, c.score) for c in changes}:
        places = [i for i, c in enumerate(changes) if (c.column, c.score) == family]
        for place, p in zip(places, holm([changes[i].p for i in places]), strict=True):
            change = changes[place]
            closer = SCORES[change.score].closer(change.difference) > 0
            verdict = "no change shown"
            if change.pairs < FEWEST:
                verdict = "too few images to say"
            elif p < ALPHA:
                less = CANNOT_JUDGE if change.doubt else "leaks less"
                verdict = "leaks more" if closer else less
            judged[place] = dataclasses.replace(change, p=p, verdict=verdict)
    return judged
