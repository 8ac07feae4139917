"""How every command begins and ends: 0 done, 1 failed while running, 2 bad input, 130 Ctrl-C."""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from defenses import BadInput
from defenses.errors import PassedOver, one_line
from reports.commands.startup import INTERRUPTED, begun


def run_command(main: Callable[[Sequence[str] | None], int], prog: str) -> NoReturn:
    """Run a command and leave with its exit code; what went wrong takes one line on stderr.

    A warning of ours takes one line there too, once, without the place in the code.

    Args:
        main: of the command; it is given None, so that it reads the process's own arguments, and
            returns the exit code.
        prog: the command as the user typed it, ``python -m attacks.invert``.
    """
    warnings.formatwarning = _brief_warnings(prog)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a path need not be text
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        begun()
        code = main(None)
    except BadInput as error:
        print(f"{prog}: {one_line(error)}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print(
            f"\n{prog}: interrupted; finished pieces are kept, the same command resumes",
            file=sys.stderr,
        )
        code = INTERRUPTED
    except OSError as error:
        print(f"{prog}: {error}", file=sys.stderr)
        code = 1
    sys.exit(code)


def _brief_warnings(prog: str) -> Callable[..., str]:
    """A `warnings.formatwarning` that tells warnings of ours in one line each, and each once."""
    plain = warnings.formatwarning
    said: set[str] = set()

    def brief(message: Any, category: type[Warning], *place: Any, **more: Any) -> str:
        if not issubclass(category, PassedOver):
            return plain(message, category, *place, **more)
        text = f"{prog}: warning: {' '.join(str(message).split())}\n"
        if text in said:  # a folder is read for its digest, for each split and by each piece
            return ""
        said.add(text)
        return text

    return brief
