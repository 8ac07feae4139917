"""``python -m attacks.membership.heads``: who was a private head fitted on?"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from attacks.membership.heads.command import PROG, parse, run, scenario
from attacks.membership.heads.study import content
from attacks.membership.show import FIGURES, draw, table
from reports.commands.entry import run_command
from reports.commands.keep import result_paths, run_or_reuse


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, fit, attack, print, draw. Returns the exit code."""
    arguments = parse(argv)
    record, out = run_or_reuse(
        arguments, scenario(arguments), "membership.heads", run, draw, FIGURES, content
    )
    print(table(record))
    print(f"\n{result_paths(out, FIGURES)}")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
