"""``python -m reports.sweep``: cross the flags of a command, run what is missing, keep the rest.

An executor is a function of Tasks that yields an Outcome as each one ends: ``--executor here`` is
`serial.run`, ``processes`` is `processes.run` and ``ray`` is `ray_cluster.run`. All of them call
`reports.sweep.task.run_task`, with the same number of threads, so the Records are the same.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """See `reports.sweep.command.main`."""
    from reports.sweep import command

    return command.main(argv)
