"""``python -m attacks.invert.heads``: private images from what a private head releases."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from attacks.invert.heads.command import PROG, parse, run, scenario
from attacks.invert.heads.load import content
from attacks.invert.show import FIGURE, draw, table
from reports.commands.entry import run_command
from reports.commands.keep import result_paths, run_or_reuse


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, fit, attack, print, draw. Returns the exit code."""
    arguments = parse(argv)
    asked, figures = scenario(arguments), (FIGURE,)
    record, out = run_or_reuse(arguments, asked, "invert.heads", run, draw, figures, content)
    print(table(record))
    print(f"\n{result_paths(out, figures)}")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
