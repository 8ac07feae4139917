"""``python -m attacks.membership.bench``."""

import sys

from attacks.membership.bench.command import PROG, main
from reports.commands.flags import command

if __name__ == "__main__":
    sys.path.insert(0, "")
    command(main, PROG)
