"""``python -m attacks.membership.bench``."""

import sys

from attacks.membership.bench.command import PROG, main
from reports.commands.entry import run_command

if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
