"""``python -m attacks.membership.heads``: who was a private head fitted on?"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from attacks.membership.answer import answer
from attacks.membership.heads.command import PROG, parse, run, scenario
from attacks.membership.heads.study import content
from reports.commands.entry import run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, fit, attack, print, draw. Returns the exit code."""
    arguments = parse(argv)
    return answer(arguments, scenario(arguments), "membership.heads", run, content)


if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
