"""One or more words on every result of a report, and whether a gate lets them through."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from reports.estimates.intervals import simultaneous_level
from reports.evidence.refuted import FALSE_ALARMS, membership_refutations
from reports.panels.panel import FALSE, NOT_SHOWN, Panel, Setting
from reports.panels.pooled import GAIN, NAMES
from reports.records.kinds import Sorted
from reports.records.membership import MembershipRecord

REFUTED, LEAKS, CANNOT_JUDGE, QUIET = "refuted", "leaks", "cannot-judge", "nothing-shown"
WORDS = (REFUTED, LEAKS, CANNOT_JUDGE, QUIET)
"""From the worst. The last says nothing of safety: the attacks here found nothing."""
GATES = (LEAKS, REFUTED, CANNOT_JUDGE)
"""Words that a gate may be closed for."""
VERSION = 1


@dataclass(frozen=True)
class Ruling:
    """What one result comes down to.

    Attributes:
        kind: ``setting`` of inversions, ``membership``, ``audit``, ``failure`` of a run, or
            ``nothing`` where there is no result.
        label: for people.
        words: of `WORDS`, the worst first; never empty.
        reason: one line.
    """

    kind: str
    label: str
    words: tuple[str, ...]
    reason: str


def rulings(found: Sorted, panels: Sequence[Panel]) -> list[Ruling]:
    """A ruling for every defended setting, membership attack, audit and run that failed.

    A run that failed or a file that cannot be read is no evidence, and cannot be judged; nor can
    Records among which nothing was defended, audited or asked for its members.
    """
    made = [_setting(panel, s) for panel in panels for s in panel.settings if s.defended]
    made += _members(found.memberships)
    for audit in found.audits:
        row = audit.worst
        broken = (REFUTED,) if row.broken else ()
        idle = () if any(a.judged for a in audit.rows) else (CANNOT_JUDGE,)
        told = f"{row.audited:.4g} is proven of a claimed {row.claimed:.4g}"
        made.append(Ruling("audit", row.defense, broken or idle or (QUIET,), row.doubt or told))
    gone = [(str(f.path), f.error) for f in found.gathered.failures]
    gone += [(str(path), reason) for path, reason in found.gathered.skipped]
    made += [Ruling("failure", where, (CANNOT_JUDGE,), why) for where, why in gone]
    return made or [Ruling("nothing", "no result", (CANNOT_JUDGE,), "no defense was attacked")]


def _setting(panel: Panel, setting: Setting) -> Ruling:
    words = [REFUTED] if setting.verdict == FALSE else []
    words += [LEAKS] if setting.shows(GAIN) or setting.shows(NAMES) else []
    words += [] if words else [QUIET if setting.verdict == NOT_SHOWN else CANNOT_JUDGE]
    reason = setting.doubt if words == [CANNOT_JUDGE] and setting.doubt else setting.verdict
    return Ruling("setting", f"{panel.title}: {setting.label}", tuple(words), reason)


def _members(found: Sequence[MembershipRecord]) -> list[Ruling]:
    refuted = {r.anchor.rpartition("-attack-")[0]: r.text for r in membership_refutations(found)}
    level = simultaneous_level(sum(len(m.scores) for m in found) * len(FALSE_ALARMS) or 1)
    made = []
    for record in found:
        words = [REFUTED] if record.anchor in refuted else []
        told = [r for r in FALSE_ALARMS if record.resolves(r) and record.tells(r, level)]
        words += [LEAKS] if told else []
        words += [] if words else [CANNOT_JUDGE if record.doubt or not record.scores else QUIET]
        shown = f"members are told from others at {told[0]:.1%} false alarms" if told else ""
        reason = refuted.get(record.anchor) or shown or record.doubt or "no more than chance"
        made.append(Ruling("membership", str(record.source.path), tuple(words), reason))
    return made


def caught(found: Sequence[Ruling], gates: Collection[str]) -> list[Ruling]:
    """The rulings that close a gate for these words."""
    return [ruling for ruling in found if set(ruling.words) & set(gates)]


def worst(found: Sequence[Ruling]) -> str:
    """The worst word of all."""
    return min((word for ruling in found for word in ruling.words), key=WORDS.index)


def summary(found: Sequence[Ruling], gates: Sequence[str]) -> dict[str, Any]:
    """The rulings as JSON holds them; docs/testing.md says what each field means."""
    return {
        "version": VERSION,
        "fail_on": list(gates),
        "closed": bool(caught(found, gates)),
        "worst": worst(found),
        "counts": {word: sum(word in r.words for r in found) for word in WORDS},
        "results": [
            {"kind": r.kind, "label": r.label, "words": list(r.words), "reason": r.reason}
            for r in found
        ],
    }
