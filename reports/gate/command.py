"""What a gate prints, writes and returns, for the command reports.build."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.records.kinds import Sorted

SUMMARY, BADGE = "summary.json", "badge.svg"

CLOSED = 3
"""Exit code of a gate that does not let the results through."""


def close_gate(found: Sorted, arguments: argparse.Namespace, folder: Path) -> int:
    """Write the summary and the badge, say what closes the gate; returns the exit code.

    Of two folders that are compared the second is judged.
    """
    from reports.estimates.counts import count_of
    from reports.gate.badge import badge
    from reports.gate.rulings import caught, gated, rulings, summary, worst
    from reports.panels.build import build_panels
    from reports.records import atomic
    from reports.records.kinds import Sorted

    if arguments.compare:
        found = Sorted(
            found.gathered,
            inversions=[one for one in found.inversions if one.source.folder == 1],
            memberships=[one for one in found.memberships if one.source.folder == 1],
            audits=[one for one in found.audits if one.source.folder == 1],
        )
    told = rulings(found, build_panels(found.inversions))
    written = {
        SUMMARY: json.dumps(summary(told, arguments.fail_on), indent=1) + "\n",
        BADGE: badge(worst(told)),
    }
    for name, text in written.items():
        with atomic(folder / name) as scratch:
            scratch.write_text(text, encoding="utf-8")
        print(folder / name)
    closing = caught(told, arguments.fail_on)
    for one in closing:
        print(f"{one.word}: {one.subject}: {one.reason}")
    if arguments.fail_on:
        own = gated(told)
        results = count_of(len(own), "result")
        gate = f"closed by {len(closing)} of {results}" if closing else "open"
        if rivals := len(told) - len(own):
            gate += f"; {count_of(rivals, 'rival')} beside it shown, not gated"
        print(f"gate on {', '.join(arguments.fail_on)}: {gate}")
    return CLOSED if closing else 0
