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
from reports.panels.corrected import corrected_gain, together, why_not_shown
from reports.panels.panel import Panel
from reports.panels.pooled import GAIN, NAMES
from reports.panels.setting import FALSE, LEAKS, NAMED, NAMED_FEW, NOT_SHOWN, Setting


def judge_setting(setting: Setting, panel: Panel, place: str) -> Judgement:
    """Judge a setting of a panel, which ``place`` names where there are several panels.

    It is a rival where Scenarios are about other defenses of the panel and not about this one.
    """
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
        rival=not setting.asked and any(s.asked and s.defended for s in panel.settings),
    )


def _setting_reason(setting: Setting, panel: Panel) -> str:
    held = setting.guarantee
    if setting.verdict == FALSE:
        told = {one.anchor: one.text for one in panel_refutations(panel)}
        return told.get(setting.anchor, FALSE)
    if setting.verdict == LEAKS:
        gain = corrected_gain(setting, panel, _who_shows(setting))
        together_with = f"the interval is for {together(setting, panel)} at once"
        return f"rebuilt {gain.show()} dB closer than by guessing; {together_with}"
    if setting.verdict in (NAMED, NAMED_FEW):
        best = setting.stronger(NAMES)
        assert best is not None, "what is named was attacked"
        share = f"named in {best.named.percent(0)} of cases among {held.candidates}"
        if setting.few:
            return f"{share}; too few images to say more"
        return f"rebuilding not shown{_short_of(setting, panel)}, but {share}"
    if setting.verdict == NOT_SHOWN:
        nothing = f"nothing beyond guessing was shown{_short_of(setting, panel)}"
        if math.isinf(held.epsilon):
            return f"{nothing}, and nothing is guaranteed"
        return f"{nothing}; epsilon {held.epsilon:,.4g} is guaranteed for one update"
    doubt = setting.doubt if setting.verdict == CANNOT_JUDGE else setting.verdict
    return f"{CANNOT_JUDGE}: {doubt}"


def _who_shows(setting: Setting) -> str:
    """The attacker whose gain is shown, of two the one who gains more."""
    showing = [name for name in setting.scores if setting.shows(GAIN, name)]
    return max(showing, key=lambda name: setting.scores[name].gain.mean)


def _short_of(setting: Setting, panel: Panel) -> str:
    """Why a gain that a table shows above 0 is not enough, in brackets; else empty."""
    told = (why_not_shown(setting, panel, attacker) for attacker in setting.scores)
    return next((f" ({why})" for why in told if why), "")


def _setting_remedy(setting: Setting, word: str) -> str:
    if word == REFUTED:
        return DISTRUST
    if word == LEAKING:
        return PROTECT
    if word == UNBROKEN:
        return AUDIT if math.isfinite(setting.guarantee.epsilon) else CLAIM
    return remedy(setting.doubt if setting.verdict == CANNOT_JUDGE else setting.verdict)
