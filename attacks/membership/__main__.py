"""``python -m attacks.membership``: who was in the data?"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from attacks.membership.answer import answer
from attacks.membership.command import PROG, parse, run, scenario
from attacks.membership.shadows.candidates import content
from attacks.membership.shadows.layouts import describe_layout
from reports.commands.entry import run_command
from victims.gradients.memory import keep_memory


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, train, attack, print, draw. Returns the exit code."""
    arguments = parse(argv)
    keep_memory()
    return answer(
        arguments,
        scenario(arguments),
        "membership",
        run,
        content,
        first=lambda record: describe_layout(record.environment["how"]),
    )


if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
