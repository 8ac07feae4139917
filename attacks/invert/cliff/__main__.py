"""``python -m attacks.invert.cliff``."""

from attacks.invert.cliff.command import PROG, main, parse
from reports.commands.entry import run_command

__all__ = ["main", "parse"]

if __name__ == "__main__":
    run_command(main, PROG)
