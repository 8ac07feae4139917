"""A progress bar for long work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tqdm import tqdm

Report = Callable[[str, int, int], None]
"""Called with a line of progress, the pieces done and the pieces in all."""


def unwatched(line: str, done: int, total: int) -> None:
    """The `Report` of work that nobody watches."""


class Progress:
    """A progress bar that appears with the first report, so that bad input prints one line."""

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self.bar: Any = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def __call__(self, line: str, done: int, total: int) -> None:
        """Show a line of progress, the pieces done and the pieces in all."""
        if self.bar is None:
            # disable=None draws the bar on a terminal only: logs and pipes keep one line an error.
            self.bar = tqdm(
                total=total, unit="piece", dynamic_ncols=True, leave=False, disable=None
            )
        self.bar.total, self.bar.n = total, done
        self.bar.set_description_str(self.prefix + line)
