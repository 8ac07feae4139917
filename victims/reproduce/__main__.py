"""``python -m victims.reproduce``."""

import sys

from reports.commands.entry import run_command
from victims.reproduce.command import PROG, main, parse

__all__ = ["main", "parse"]

if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
