"""``leakgauge COMMAND ...``: every command of this project under one name."""

from __future__ import annotations

import difflib
import sys
from typing import NoReturn

from leakgauge.commands import COMMANDS
from leakgauge.glance import glance, load

ALIKE = 0.6
"""How alike, of 1, a mistyped command and the one that is proposed are."""
HELP = ("-h", "--help", "help")


def main() -> NoReturn:
    """Run the command that the process's own arguments name, and leave with its exit code.

    0 done, 1 failed while running or refuted, 2 bad input, 130 interrupted.
    """
    words = sys.argv[1:]
    if len(words) > 1 and words[0] in HELP:
        words = [words[1], "--help"]
    if not words or words[0] in HELP:
        print(overview())
        sys.exit(0)
    if words[0] in ("-V", "--version"):
        import leakgauge

        print(f"leakgauge {leakgauge.__version__}")
        sys.exit(0)
    name, rest = words[0], words[1:]
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1, ALIKE)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(COMMANDS)}"
        print(f"leakgauge: no command {name!r}; {hint}", file=sys.stderr)
        sys.exit(2)
    command, prog = COMMANDS[name], f"leakgauge {name}"
    rest = [*command.first, *rest]
    sys.argv = [prog, *rest]
    sys.path.insert(0, "")  # so that pkg.module:Class finds the user's own files
    load("reports.commands.startup:end_at_once")(prog)
    code = glance(command.flags, prog, rest)
    if code is not None:
        sys.exit(code)
    load("reports.commands.entry:run_command")(load(command.main), prog)
    raise AssertionError("a command leaves by itself")


def overview() -> str:
    """What the commands are, a line each."""
    width = max(map(len, COMMANDS)) + 2
    lines = [f"  {name:{width}}{command.help}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: leakgauge COMMAND [--FLAG VALUE ...]",
            "",
            "How much of the private data does a training update still give away?",
            "",
            *lines,
            "",
            "leakgauge COMMAND --help lists its flags; leakgauge --version says the version.",
            "To try first: leakgauge invert --data digits --model linear --evaluations 30",
        ]
    )
