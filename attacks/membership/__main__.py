"""``python -m attacks.membership``: who was in the data?"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from attacks.membership import show
from attacks.membership.command import PROG, parse, run, scenario
from attacks.membership.shadows.candidates import content
from attacks.membership.shadows.layouts import describe_layout
from reports.commands.entry import run_command
from reports.commands.keep import result_paths, run_or_reuse
from victims.gradients.memory import keep_memory


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, train, attack, print, draw. Returns the exit code."""
    arguments = parse(argv)
    keep_memory()
    record, out = run_or_reuse(
        arguments, scenario(arguments), "membership", run, show.draw, show.FIGURES, content
    )
    print(describe_layout(record.environment["how"]))
    print(show.table(record))
    print(f"\n{result_paths(out, show.FIGURES)}")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
