"""``python -m victims.bench``."""

import sys

from reports.commands.flags import command
from victims.bench.command import PROG, main

if __name__ == "__main__":
    sys.path.insert(0, "")
    command(main, PROG)
