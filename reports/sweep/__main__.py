"""``python -m reports.sweep``."""

import sys

from reports.commands.entry import run_command
from reports.sweep.command import PROG, main, parse

__all__ = ["main", "parse"]

if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
