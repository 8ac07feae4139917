"""``python -m tests.zoo [--runs N]``: every planted bug, and what catches it, in Markdown."""

from __future__ import annotations

import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

import victims.conformance
from defenses import BadInput
from defenses.conformance import CHECKS
from reports.commands.flags import Parser
from tests.zoo import BUGS, Specimen, private
from tests.zoo.audit import Outcome, audited
from tests.zoo.heads import HEADS, HeadSpecimen
from victims.transfer.conformance import examine

HEAD = (
    "| bug | source | structural check | audit refutes | claimed, audited | check, audit (CPU s) |"
)

HEAD_OF_HEADS = "| bug of a private head | source | structural checks |"


def caught(bug: Specimen) -> tuple[bool, float]:
    """Whether the expected check finds the bug, and its CPU seconds, the best of three."""
    seconds = []
    for _ in range(3):
        before = time.process_time()
        of_loops = {c.name: c for c in victims.conformance.CHECKS}
        if bug.check in of_loops:
            finding = of_loops[bug.check](bug.build, *private())
        else:
            finding = {c.name: c for c in CHECKS}[bug.check](bug.defense)
        seconds.append(time.process_time() - before)
    return not finding.holds, min(seconds)


def row_of_heads(bug: HeadSpecimen) -> str:
    """One line of the table of heads, with every check that the bug breaks."""
    broken = [finding.check for finding in examine(bug.method, bug.make) if not finding.holds]
    return f"| {bug.name} | {bug.source} | {', '.join(broken) or 'MISSED'} |"


def row(name: str, source: str, check: str, cost: float, seen: Outcome) -> str:
    """One line of the table."""
    bounds = f"{seen.claimed:.2f}, {min(seen.audited):.2f} to {max(seen.audited):.2f}"
    times = f"{cost:.2f}, {seen.seconds:.2f}" if cost else f", {seen.seconds:.2f}"
    share = f"{seen.refuted} of {len(seen.audited)}"
    return f"| {name} | {source} | {check} | {share} | {bounds} | {times} |"


def main() -> None:
    """Print the table."""
    parser = Parser(prog="python -m tests.zoo", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="audits of each bug (default 5)")
    runs = parser.parse_args().runs
    torch.set_num_threads(1)
    print(HEAD)
    print("|" + "---|" * 6)
    correct = {
        "none: dpsgd": {},
        "none: dprs at 0.5": {"rate": 0.5},
        "none: dprs at 0.9": {"rate": 0.9},
    }
    for name, options in correct.items():
        changed = (
            {
                "defense": "dprs",
                "defense_options": {"clip": 0.5, "noise_multiplier": 2.0, **options},
            }
            if options
            else {}
        )
        print(row(name, "", "all hold", 0, audited(None, runs, **changed)), flush=True)
    for bug in BUGS:
        found, cost = caught(bug)
        check = bug.check if found else f"{bug.check}: MISSED"
        try:
            print(row(bug.name, bug.source, check, cost, audited(bug, runs)), flush=True)
        except BadInput:
            # Such a model is refused before it is trained.
            print(f"| {bug.name} | {bug.source} | {check} | refused | | {cost:.2f}, |", flush=True)
    print(f"\n{HEAD_OF_HEADS}\n{'|---' * 3}|")
    for planted in HEADS:
        print(row_of_heads(planted), flush=True)


if __name__ == "__main__":
    main()
