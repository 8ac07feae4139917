"""``python -m attacks.audit``: is the epsilon true?"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from attacks.audit import show
from attacks.audit.command import PROG, parse, run, scenario
from attacks.audit.game.play import content
from reports.commands.entry import run_command
from reports.commands.keep import result_paths, run_or_reuse
from reports.records import audit
from victims.gradients.memory import keep_memory


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, train, audit, print, draw. Returns the exit code: 1 when a claim is refuted."""
    arguments = parse(argv)
    keep_memory()
    record, out = run_or_reuse(
        arguments, scenario(arguments), "audit", run, show.draw, show.FIGURES, content
    )
    print(show.table(record))
    print(f"\n{result_paths(out, show.FIGURES)}")
    return 1 if audit.parse(record).broken else 0


if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
