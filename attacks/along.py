"""``python -m attacks.along``: the same as ``python -m attacks.invert.along``."""

import sys

from attacks.invert.along import PROG, main, parse
from reports.commands.entry import run_command

__all__ = ["main", "parse"]

if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
