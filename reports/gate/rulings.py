"""The page's judgements for a machine: what came to no result beside them, a gate, and JSON."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from reports.evidence.judgement import LEAKING, REFUTED, UNJUDGED, WORDS, Judgement
from reports.evidence.judgements import judgements
from reports.panels.panel import Panel
from reports.records.kinds import Sorted

GATES = (LEAKING, REFUTED, UNJUDGED)
"""Words that a gate may be closed for."""
VERSION = 1
AGAIN = "Run it again until it comes to a result"
ATTACK = "Attack a defense, ask for members or audit an epsilon"


def rulings(found: Sorted, panels: Sequence[Panel]) -> list[Judgement]:
    """The page's judgements and, unjudged, what came to no result; the gravest first.

    A run that failed or a file that cannot be read is no evidence; nor are Records among which
    nothing was attacked or audited.
    """
    made = judgements(panels, found.memberships, found.audits)
    gone = [(failure.path, failure.error) for failure in found.gathered.failures]
    gone += found.gathered.skipped
    made += [_unjudged(found.gathered.show_path(path), why, AGAIN) for path, why in gone]
    made = made or [_unjudged("no result", "nothing was attacked or audited", ATTACK)]
    return sorted(made, key=lambda one: WORDS.index(one.word))


def _unjudged(subject: str, reason: str, remedy: str) -> Judgement:
    return Judgement(UNJUDGED, subject, reason, "-", remedy, anchor="", sources=())


def caught(found: Sequence[Judgement], gates: Collection[str]) -> list[Judgement]:
    """What closes a gate for these words; for leaks a refuted claim too, which is one."""
    closing = {*gates, REFUTED} if LEAKING in gates else {*gates}
    return [one for one in gated(found) if one.word in closing]


def gated(found: Sequence[Judgement]) -> list[Judgement]:
    """What a gate is about: all but the rivals that a Scenario attacks beside its own defense."""
    return [one for one in found if not one.rival]


def worst(found: Sequence[Judgement]) -> str:
    """The gravest word of all that a gate is about."""
    return min((one.word for one in gated(found)), key=WORDS.index)


def summary(found: Sequence[Judgement], gates: Sequence[str]) -> dict[str, Any]:
    """The judgements as JSON holds them; docs/testing.md says what each field means."""
    shown = ("word", "subject", "reason", "sample", "remedy", "rival")
    return {
        "version": VERSION,
        "fail_on": list(gates),
        "closed": bool(caught(found, gates)),
        "worst": worst(found),
        "counts": {word: sum(one.word == word for one in gated(found)) for word in WORDS},
        "results": [{name: getattr(one, name) for name in shown} for one in found],
    }
