"""``python -m leakgauge.growth``."""

import sys

from leakgauge.growth.command import PROG, main, parse
from reports.commands.entry import run_command

__all__ = ["main", "parse"]

if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
