"""The Scenarios on a Ray cluster that is already there (extra ``cluster``)."""

from __future__ import annotations

import dataclasses
import os
import socket
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from defenses import BadInput
from reports.commands.workers import THREAD_VARIABLES
from reports.records import atomic
from reports.records.failure import ERROR
from reports.sweep.task import Outcome, Task, keep_error, run_task

LAST = ("result.json", ERROR)
"""Files that are written after all others, because they say that a Scenario has ended."""
RETRIES = 3
"""So often a Scenario is tried again elsewhere when the machine that ran it is lost."""


def run(tasks: Sequence[Task], *, address: str | None) -> Iterator[Outcome]:
    """An Outcome as each Task ends; this machine writes the Records that others made.

    Workers need leakgauge, and see data, weights and your own modules under the same paths as
    this machine; they need not share the folder of the results.

    Args:
        tasks: what to run; each takes ``threads`` CPUs, and a GPU when its device is ``cuda``.
        address: of the cluster; None: ``$RAY_ADDRESS``, else the one on this machine.

    Raises:
        BadInput: Ray is not installed, or no cluster is there.
    """
    return _outcomes(_connect(address), tasks)  # a cluster that is missing is said at once


def _outcomes(ray: Any, tasks: Sequence[Task]) -> Iterator[Outcome]:
    variables = {name: str(tasks[0].threads) for name in THREAD_VARIABLES}
    remote = ray.remote(_run_elsewhere).options(
        num_cpus=tasks[0].threads,
        num_gpus=1 if tasks[0].device == "cuda" else 0,
        max_retries=RETRIES,
        runtime_env={"env_vars": variables},
    )
    waiting = {remote.remote(task): task for task in tasks}
    try:
        while waiting:
            done, _ = ray.wait(list(waiting))
            for reference in done:
                task = waiting.pop(reference)
                try:
                    outcome, files = ray.get(reference)
                except ray.exceptions.RayError as error:
                    yield keep_error(task, error, 0.0)
                    continue
                _store(task.folder, files)
                yield outcome
    finally:
        for reference in waiting:
            ray.cancel(reference, force=True)
        ray.shutdown()


def _connect(address: str | None) -> Any:
    try:
        import ray
    except ImportError as error:
        raise BadInput('--executor ray needs Ray: pip install "leakgauge[cluster]"') from error
    address = address or os.environ.get("RAY_ADDRESS") or "auto"
    where = "on this machine" if address == "auto" else f"at {address}"
    missing = BadInput(f"no Ray cluster {where}; `ray start --head` starts one")
    if address != "auto" and not _listens(address):
        raise missing  # Ray itself would go on asking for minutes
    try:
        ray.init(address=address, log_to_driver=False, logging_level="error")
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise missing from error
    return ray


def _listens(address: str) -> bool:
    host, _, port = address.rpartition("://")[2].rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=5):
            return True
    except (OSError, ValueError):
        return False


def _run_elsewhere(task: Task) -> tuple[Outcome, dict[str, bytes]]:
    """Run a Task in a scratch folder; returns its Outcome and the files it made, by name."""
    with tempfile.TemporaryDirectory(prefix="leakgauge-") as scratch:
        folder = Path(scratch)
        outcome = run_task(dataclasses.replace(task, folder=folder))
        return outcome, {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def _store(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ERROR).unlink(missing_ok=True)
    for name in sorted(files, key=lambda n: n in LAST):
        with atomic(folder / name) as scratch:
            scratch.write_bytes(files[name])
