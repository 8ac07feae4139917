"""Measurements that contradict a guarantee: it is false, whatever else is found or not found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports.estimates.intervals import simultaneous_level
from reports.panels.panel import Panel
from reports.panels.pooled import EXCEEDS
from reports.panels.setting import FALSE
from reports.records.audit import AuditRecord
from reports.records.membership import MembershipRecord

FALSE_ALARMS = (0.001, 0.01, 0.1)
"""False-positive rates at which TPRs are held against their bound."""


@dataclass(frozen=True)
class Refutation:
    """One measurement that contradicts a guarantee.

    Attributes:
        anchor: names the row of the page that holds the number.
        text: the measurement and what was guaranteed, for people.
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
        *audit_refutations(audits),
        *membership_refutations(memberships),
        *(found for panel in panels for found in panel_refutations(panel)),
    ]


def panel_refutations(panel: Panel) -> list[Refutation]:
    """Settings whose images are named more often than their guarantee allows."""
    found = []
    for setting in panel.settings:
        best = setting.stronger(EXCEEDS)
        if setting.verdict == FALSE and best is not None:
            held = setting.guarantee
            text = (
                f"{best.named.percent()} of the images are named at once among "
                f"{held.candidates:,}, where at most {100 * held.top1:.3g}% is allowed "
                f"({setting.label})"
            )
            found.append(Refutation(setting.anchor, text))
    return found


def audit_refutations(audits: Sequence[AuditRecord]) -> list[Refutation]:
    """Audits that prove a larger epsilon than is claimed, each with the row that says most."""
    return [
        Refutation(
            row.anchor,
            f"an audit proves epsilon to be at least {row.audited:.4g} with a confidence of "
            f"{100 * row.confidence:.4g}%, where {row.claimed:.4g} is claimed ({row.defense:.60})",
        )
        for row in (audit.worst for audit in audits)
        if row.broken
    ]


def membership_refutations(memberships: Sequence[MembershipRecord]) -> list[Refutation]:
    """Trainings of which more members are found than their epsilon allows, each once."""
    found: dict[int, Refutation] = {}
    for (turn, attack), text in above_bound(memberships).items():
        record = memberships[turn]
        anchor = f"{record.anchor}-attack-{record.attacks.index(attack) + 1}"
        found.setdefault(turn, Refutation(anchor, text))
    return list(found.values())


def above_bound(memberships: Sequence[MembershipRecord]) -> dict[tuple[int, str], str]:
    """(place of the Record, attack) -> by how much its AUC or TPR exceeds what epsilon allows.

    Intervals are simultaneous over all trainings, attacks, and numbers compared: the AUC and the
    TPRs at `FALSE_ALARMS`.
    """
    bounded = [
        (turn, attack)
        for turn, record in enumerate(memberships)
        if record.epsilon is not None and math.isfinite(record.epsilon)
        for attack in record.scores
    ]
    rates = [
        (turn, attack, rate)
        for turn, attack in bounded
        for rate in FALSE_ALARMS
        if memberships[turn].resolves(rate)
    ]
    level = simultaneous_level(len(bounded) + len(rates))
    found: dict[tuple[int, str], str] = {}
    for turn, attack in bounded:
        record = memberships[turn]
        area = record.auc(attack, level)
        if area.low > record.largest:
            found[turn, attack] = (
                f"{attack:.40} tells members from others with an AUC of {area.show(3)}, "
                f"where epsilon {record.epsilon:.4g} allows {record.largest:.3f}"
            )
    for turn, attack, rate in rates:
        record = memberships[turn]
        caught = record.tpr(attack, rate, level)
        allowed = float(record.bound(np.array([rate]))[0])
        if caught.low > allowed:
            found[turn, attack] = (
                f"{attack:.40} finds {caught.percent()} of the members at {rate:.1%} false alarms, "
                f"where epsilon {record.epsilon:.4g} allows {allowed:.1%}"
            )
    return found
