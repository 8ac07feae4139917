"""Progress of long work: a bar where somebody watches, a line now and then where nobody does."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from tqdm import tqdm

Report = Callable[[str, int, int], None]
"""Called with a line of progress, the pieces done and the pieces in all."""
FIRST, APART = 10.0, 30.0
"""Seconds until a log gets its first line, and from one line to the next: what is quick is silent,
so that bad input prints one line there too."""
QUICK = 0.1
"""Seconds that a bar shows a line at least, unless a piece is done."""


def unwatched(line: str, done: int, total: int) -> None:
    """The `Report` of work that nobody watches."""


def expect(report: Report, cost: Callable[[], float]) -> None:
    """Tell who watches, before long work begins, about how long it takes on this machine.

    Args:
        report: of the work; one that cannot be told, `unwatched` say, is not, and costs nothing.
        cost: seconds, found by trying a little of the work.
    """
    tell = getattr(report, "expect", None)
    if tell is not None:
        tell(cost())


def span(seconds: float) -> str:
    """``45 s``, ``12 min`` or ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Progress:
    """A progress bar on a terminal, plain lines with the time left elsewhere; both on stderr.

    Either appears with a report, not before.

    Args:
        prefix: before every line.
        now: seconds on a clock that never goes back.
    """

    def __init__(self, prefix: str = "", now: Callable[[], float] = time.monotonic) -> None:
        self.prefix = prefix
        self.bar: Any = None
        self.now = now
        self.next = now() + FIRST
        self.start: tuple[float, int] | None = None
        self.end: float | None = None
        self.shown = 0.0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def expect(self, seconds: float) -> None:
        """Say how long the work takes, where that is long; it holds until a piece is done."""
        self.end = self.now() + seconds
        if seconds >= FIRST:
            tqdm.write(f"{self.prefix}about {span(seconds)} on this machine", file=sys.stderr)

    def __call__(self, line: str, done: int, total: int) -> None:
        """Show a line of progress, the pieces done and the pieces in all."""
        if not sys.stderr.isatty():
            self._log(line, done, total)
            return
        now = self.now()
        if self.bar is not None and now < self.shown + QUICK and done == self.bar.n:
            return
        self.shown = now
        if self.bar is None:
            self.bar = tqdm(total=total, unit="piece", dynamic_ncols=True, leave=False)
        self.bar.total, self.bar.n = total, done
        self.bar.set_description_str(self.prefix + line)

    def _log(self, line: str, done: int, total: int) -> None:
        """Write a line, where it is time for one.

        What is left is as long as this run's own pieces took: those that an earlier run has
        finished took it no time. Where something was expected, that counts as much as is not done.
        """
        now = self.now()
        began, before = self.start = self.start or (now, done)
        if now < self.next:
            return
        self.next = now + APART
        mine = done - before
        told = None if self.end is None else max(0.0, self.end - now)
        rest = (now - began) / mine * (total - done) if mine > 0 else told
        if mine > 0 and told is not None:
            share = mine / (total - before)
            rest = share * (now - began) / mine * (total - done) + (1 - share) * told
        left = f", about {span(rest)} left" if rest else ""
        print(f"[{done}/{total}{left}] {self.prefix}{line}", file=sys.stderr, flush=True)
