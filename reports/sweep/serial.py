"""The Scenarios one after another in this process: ``--executor here``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reports.sweep.task import Outcome, Task, run_task


def run(tasks: Sequence[Task]) -> Iterator[Outcome]:
    """Yield an Outcome as each Task ends."""
    for task in tasks:
        yield run_task(task)
