"""``python -m attacks.membership.updates``: whose data does a participant of a federation have?"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from attacks.membership.answer import answer
from attacks.membership.updates.command import PROG, parse, run, scenario
from attacks.membership.updates.study import content
from reports.commands.entry import run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, run, attack, print, draw. Returns the exit code."""
    arguments = parse(argv)
    return answer(arguments, scenario(arguments), "membership.updates", run, content)


if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
