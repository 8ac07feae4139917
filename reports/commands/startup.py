"""The first moments of a command: libraries take seconds to be imported.

What takes no computation, ``--help`` and a flag that is mistyped, is answered before them, and
Ctrl-C meanwhile takes one line.
"""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def begin(room: str) -> None:
    """Called by each room as it is imported: acts where it is for ``python -m ROOM.COMMAND``.

    In every other process it does nothing. There Python imports the room before the command.

    Args:
        room: name of the package.
    """
    module = _asked_for()
    if module is None or module.partition(".")[0] != room:
        return
    prog = f"python -m {module}"
    end_at_once(prog)
    glance = import_module("leakgauge.glance").glance
    place = import_module("leakgauge.rooms").place_of(room)
    main = ".__main__" if place and place.parent.joinpath(*module.split(".")).is_dir() else ""
    code: int | None = glance(f"{module}{main}:parse", prog, sys.argv[1:])
    if code is not None:
        sys.exit(code)


def _asked_for() -> str | None:
    """The module of ``python -m MODULE`` while Python looks for it; None at any other time."""
    head = len(sys.orig_argv) - len(sys.argv)
    if sys.argv[:1] != ["-m"] or head < 1 or sys.orig_argv[head + 1 :] != sys.argv[1:]:
        return None
    return sys.orig_argv[head].removeprefix("-m")


def end_at_once(prog: str) -> None:
    """Until `begun`, Ctrl-C ends the process with one line: there is nothing to be tidied up.

    Args:
        prog: the command as the user typed it.
    """

    def end(number: int, frame: FrameType | None) -> NoReturn:
        os.write(2, f"\n{prog}: interrupted before it began\n".encode())
        os._exit(INTERRUPTED)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where it is ignored
        signal.signal(signal.SIGINT, end)
        _ends.append(end)


def begun() -> None:
    """From now on Ctrl-C raises KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) in _ends:
        signal.signal(signal.SIGINT, signal.default_int_handler)


_ends: list[object] = []
