"""``python -m attacks.audit.heads``: is a private head's epsilon true?"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from attacks.audit.heads.command import PROG, parse, run, scenario
from attacks.audit.heads.show import table
from attacks.audit.heads.study import content
from attacks.audit.show import FIGURES, draw
from reports.commands.entry import run_command
from reports.commands.keep import result_paths, run_or_reuse
from reports.records import audit


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, fit, audit, print, draw. Returns the exit code: 1 when a claim is refuted."""
    arguments = parse(argv)
    record, out = run_or_reuse(
        arguments, scenario(arguments), "audit.heads", run, draw, FIGURES, content
    )
    print(table(record))
    print(f"\n{result_paths(out, FIGURES)}")
    return 1 if audit.parse(record).broken else 0


if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
