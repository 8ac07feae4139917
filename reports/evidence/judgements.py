"""One judgement on everything in a report: settings, attacked trainings, audits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from reports.estimates.counts import count_of
from reports.estimates.intervals import simultaneous_level
from reports.evidence.control import CANNOT_JUDGE
from reports.evidence.judgement import LEAKING, REFUTED, UNBROKEN, UNJUDGED, WORDS, Judgement
from reports.evidence.refuted import (
    FALSE_ALARMS,
    audit_refutations,
    membership_refutations,
)
from reports.evidence.remedies import (
    CLAIM,
    DISTRUST,
    LEARN,
    PROTECT,
    STRONGER_AUDIT,
    STRONGER_MEMBERSHIP,
)
from reports.evidence.setting_judgement import judge_setting
from reports.panels.panel import Panel
from reports.panels.setting import Setting
from reports.panels.variant import variant_of
from reports.records.audit import AuditRecord
from reports.records.membership import MembershipRecord


def judgements(
    panels: Sequence[Panel], memberships: Sequence[MembershipRecord], audits: Sequence[AuditRecord]
) -> list[Judgement]:
    """One judgement on every defended setting, attacked training and audit, the gravest first.

    Of a panel without a defense, its settings as they are.
    """
    found = [
        *(_of_audit(audit) for audit in audits),
        *_of_memberships(memberships),
        *(
            judge_setting(setting, panel, f" ({place})" if len(panels) > 1 else "")
            for panel, place in zip(panels, _places(panels), strict=True)
            for setting in _judged(panel)
        ),
    ]
    return sorted(found, key=lambda one: WORDS.index(one.word))


def _judged(panel: Panel) -> list[Setting]:
    defended = [s for s in panel.settings if s.defended]
    return defended or list(panel.settings)


def _places(panels: Sequence[Panel]) -> list[str]:
    """What every panel attacked, no longer than it takes to tell it from the others."""
    short = [f"{panel.facts['model']!s:.40} on {panel.facts['data']!s:.40}" for panel in panels]
    pairs = zip(panels, short, strict=True)
    return [place if short.count(place) == 1 else panel.title for panel, place in pairs]


def _of_memberships(records: Sequence[MembershipRecord]) -> Iterator[Judgement]:
    """One on each training, by its strongest attack; intervals hold for all that is compared."""
    refuted = {one.anchor: one.text for one in membership_refutations(records)}
    compared = sum(len(one.scores) * (1 + sum(map(one.resolves, FALSE_ALARMS))) for one in records)
    level = simultaneous_level(compared)
    for one in records:
        own = [text for anchor, text in refuted.items() if anchor.startswith(f"{one.anchor}-")]
        leak = _leak(one, level)
        if own:
            word, reason, next_step = REFUTED, own[0], DISTRUST
        elif leak:
            word, reason, next_step = LEAKING, leak, PROTECT
        elif one.doubt:
            word, reason, next_step = UNJUDGED, f"{CANNOT_JUDGE}: {one.doubt}", LEARN
        elif not one.scores:
            word, reason = UNJUDGED, f"{CANNOT_JUDGE}: the result holds no scores"
            next_step = STRONGER_MEMBERSHIP
        else:
            word, next_step = UNBROKEN, STRONGER_MEMBERSHIP
            reason = "no attack told members from others better than chance"
        inside = int(one.members.sum())
        yield Judgement(
            word=word,
            subject=f"members of {variant_of(one.source).label}",
            reason=reason,
            sample=f"{count_of(inside, 'member')}, {one.outside} others" if inside else "-",
            remedy=next_step,
            anchor=f"{one.anchor}-attack-1",
            sources=(one.source,),
        )


def _leak(one: MembershipRecord, level: float) -> str:
    """The attack that tells members best, if any does better than chance; else empty."""
    areas = {name: one.auc(name, level) for name in one.scores}
    best = max(areas, key=lambda name: areas[name].low, default=None)
    if best is not None and areas[best].low > 0.5:
        return f"{best:.40} tells members from others, AUC {areas[best].show(2)} (chance: 0.5)"
    for rate in filter(one.resolves, FALSE_ALARMS):
        for name in one.scores:
            caught = one.tpr(name, rate, level)
            if caught.low > rate:
                return f"{name:.40} finds {caught.percent()} of members at {rate:.1%} false alarms"
    return ""


def _of_audit(audit: AuditRecord) -> Judgement:
    worst = audit.worst
    if audit.broken:
        word, reason, next_step = REFUTED, audit_refutations([audit])[0].text, DISTRUST
    elif math.isinf(worst.claimed):
        word, next_step = UNJUDGED, CLAIM
        reason = f"{CANNOT_JUDGE}: no epsilon is claimed; at least {worst.audited:.4g} is spent"
    elif not any(row.judged for row in audit.rows):
        word, next_step = UNJUDGED, STRONGER_AUDIT
        reason = f"{CANNOT_JUDGE}: {audit.rows[0].doubt}"
    else:
        word, next_step = UNBROKEN, STRONGER_AUDIT
        reason = (
            f"epsilon is proven to be at least {worst.audited:.4g}, where {worst.claimed:.4g} is "
            "claimed"
        )
    canaries = count_of(worst.canaries, "canary", "canaries")
    return Judgement(
        word=word,
        subject=f"epsilon of {worst.defense:.60}",
        reason=reason,
        sample=canaries if worst.canaries else "-",
        remedy=next_step,
        anchor=worst.anchor,
        sources=(audit.source,),
    )
