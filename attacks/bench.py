"""``python -m attacks.bench``: the same as ``python -m attacks.invert.bench``."""

import sys

from attacks.invert.bench import PROG, main, parse
from reports.commands.entry import run_command

__all__ = ["main", "parse"]

if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
