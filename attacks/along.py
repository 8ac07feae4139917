"""``python -m attacks.along``: the same as ``python -m attacks.invert.along``."""

import sys

from attacks.invert.along import PROG, main
from reports.commands.entry import run_command

if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
