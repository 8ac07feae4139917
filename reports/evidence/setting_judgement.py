"""The judgement on one defended setting."""

from __future__ import annotations

import math

from reports.estimates.counts import count_of
from reports.evidence.control import CANNOT_JUDGE
from reports.evidence.judgement import LEAKING, REFUTED, UNBROKEN, UNJUDGED, Judgement
from reports.evidence.refuted import (
    panel_refutations,
)
from reports.evidence.remedies import (
    AUDIT,
    CLAIM,
    DISTRUST,
    PROTECT,
    remedy,
)
from reports.panels.panel import Panel
from reports.panels.pooled import NAMES
from reports.panels.setting import FALSE, LEAKS, NAMED, NAMED_FEW, NOT_SHOWN, Setting


def judge_setting(setting: Setting, panel: Panel, place: str) -> Judgement:
    """Judge a setting of a panel, which ``place`` names where there are several panels."""
    words = {FALSE: REFUTED, LEAKS: LEAKING, NOT_SHOWN: UNBROKEN}
    words |= dict.fromkeys((NAMED, NAMED_FEW), LEAKING)
    word = words.get(setting.verdict, UNJUDGED)
    best = setting.judged
    seeds = len(set(best.seeds.tolist())) if best else 1
    sample = count_of(panel.images, "image")
    sample += f" \N{MULTIPLICATION SIGN} {seeds} seeds" if seeds > 1 else ""
    return Judgement(
        word=word,
        subject=setting.label + place,
        reason=_setting_reason(setting, panel),
        sample=sample,
        remedy=_setting_remedy(setting, word),
        anchor=setting.anchor,
        sources=setting.sources,
    )


def _setting_reason(setting: Setting, panel: Panel) -> str:
    held = setting.guarantee
    if setting.verdict == FALSE:
        told = {one.anchor: one.text for one in panel_refutations(panel)}
        return told.get(setting.anchor, FALSE)
    if setting.verdict == LEAKS:
        best = setting.stronger()
        assert best is not None, "what leaks was attacked"
        return f"rebuilt {best.gain.show()} dB closer than by guessing"
    if setting.verdict in (NAMED, NAMED_FEW):
        best = setting.stronger(NAMES)
        assert best is not None, "what is named was attacked"
        share = f"named in {best.named.percent(0)} of cases among {held.candidates}"
        return (
            f"{share}; too few images to say more"
            if setting.few
            else f"rebuilding not shown, but {share}"
        )
    if setting.verdict == NOT_SHOWN:
        if math.isinf(held.epsilon):
            return "nothing beyond guessing was shown, and nothing is guaranteed"
        return (
            f"nothing beyond guessing was shown; epsilon {held.epsilon:,.4g} is guaranteed for one "
            "update"
        )
    doubt = setting.doubt if setting.verdict == CANNOT_JUDGE else setting.verdict
    return f"{CANNOT_JUDGE}: {doubt}"


def _setting_remedy(setting: Setting, word: str) -> str:
    if word == REFUTED:
        return DISTRUST
    if word == LEAKING:
        return PROTECT
    if word == UNBROKEN:
        return AUDIT if math.isfinite(setting.guarantee.epsilon) else CLAIM
    return remedy(setting.doubt if setting.verdict == CANNOT_JUDGE else setting.verdict)
