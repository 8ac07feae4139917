"""Measurements that contradict a guarantee: it is false, whatever else is found or not found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports.estimates.intervals import simultaneous_level
from reports.panels.panel import FALSE, Panel
from reports.records.audit import AuditRecord
from reports.records.membership import MembershipRecord

FALSE_ALARMS = (0.001, 0.01, 0.1)
"""False-positive rates at which TPRs are held against their bound."""


@dataclass(frozen=True)
class Refutation:
    """One contradiction.

    Attributes:
        anchor: of the row that holds the number.
        text: the measurement and what was guaranteed, in words.
    """

    anchor: str
    text: str


def refutations(
    panels: Sequence[Panel], memberships: Sequence[MembershipRecord], audits: Sequence[AuditRecord]
) -> list[Refutation]:
    """Every one: audits, then members found, then images named above what is guaranteed.

    A training that refutes its claim in several ways counts with the largest. Audits are as
    sure as their Record says; the others are corrected for all that were compared.
    """
    return [
        *_by_audit(audits),
        *_by_members(memberships),
        *(found for panel in panels for found in panel_refutations(panel)),
    ]


def panel_refutations(panel: Panel) -> list[Refutation]:
    """Settings whose images are named more often than their guarantee allows."""
    found = []
    for setting in panel.settings:
        if setting.verdict == FALSE and setting.judged is not None:
            held = setting.guarantee
            told = (
                f"{setting.judged.named.percent()} of the images are named at once among "
                f"{held.candidates:,}, where at most {held.top1:.2%} is allowed ({setting.label})"
            )
            found.append(Refutation(setting.anchor, told))
    return found


def above_bound(found: Sequence[MembershipRecord]) -> dict[tuple[int, str], str]:
    """(place in ``found``, attack) -> by how much its AUC or TPR exceeds what its epsilon allows.

    Intervals are simultaneous over all trainings, attacks, and numbers compared: the AUC and the
    TPRs at `FALSE_ALARMS`.
    """
    bounded = [
        (turn, name)
        for turn, one in enumerate(found)
        if one.epsilon is not None and math.isfinite(one.epsilon)
        for name in one.scores
    ]
    asked = [
        (*key, rate) for key in bounded for rate in FALSE_ALARMS if found[key[0]].resolves(rate)
    ]
    level = simultaneous_level(len(bounded) + len(asked))
    told: dict[tuple[int, str], str] = {}
    for turn, name in bounded:
        one = found[turn]
        area = one.auc(name, level)
        if area.low > one.largest:
            told[turn, name] = (
                f"{name:.40} tells members from others with an AUC of {area.show(3)}, "
                f"where epsilon {one.epsilon:.4g} allows {one.largest:.3f}"
            )
    for turn, name, rate in asked:
        one = found[turn]
        caught = one.tpr(name, rate, level)
        allowed = float(one.bound(np.array([rate]))[0])
        if caught.low > allowed:
            told[turn, name] = (
                f"{name:.40} finds {caught.percent()} of the members at {rate:.1%} false alarms, "
                f"where epsilon {one.epsilon:.4g} allows {allowed:.1%}"
            )
    return told


def _by_audit(audits: Sequence[AuditRecord]) -> list[Refutation]:
    found = []
    for audit in audits:
        one = audit.worst
        if one.broken:
            told = (
                f"an audit proves epsilon to be at least {one.audited:.4g}, where "
                f"{one.claimed:.4g} is claimed ({one.defense:.60})"
            )
            found.append(Refutation(one.anchor, told))
    return found


def _by_members(memberships: Sequence[MembershipRecord]) -> list[Refutation]:
    seen: set[int] = set()
    found = []
    for (turn, name), told in above_bound(memberships).items():
        if turn not in seen:
            seen.add(turn)
            one = memberships[turn]
            place = one.attacks.index(name) + 1
            found.append(Refutation(f"{one.anchor}-attack-{place}", told))
    return found
