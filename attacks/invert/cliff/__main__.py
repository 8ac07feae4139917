"""``python -m attacks.invert.cliff``."""

from attacks.invert.cliff.command import PROG, main
from reports.commands.entry import run_command

if __name__ == "__main__":
    run_command(main, PROG)
