"""``python -m attacks.membership.updates``: whose data does a participant of a federation have?"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from attacks.membership.show import FIGURES, draw, table
from attacks.membership.updates.command import PROG, parse, run, scenario
from attacks.membership.updates.study import content
from reports.commands.entry import run_command
from reports.commands.keep import result_paths, run_or_reuse


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, run, attack, print, draw. Returns the exit code."""
    arguments = parse(argv)
    record, out = run_or_reuse(
        arguments, scenario(arguments), "membership.updates", run, draw, FIGURES, content
    )
    print(table(record))
    print(f"\n{result_paths(out, FIGURES)}")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
