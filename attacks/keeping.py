"""One Scenario of a command from its flags to a kept Record: found again, or run and drawn."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import joblib

from attacks.flags import chosen_device
from attacks.progress import Progress
from defenses import BadInput
from reports import records
from reports.records import Record
from victims.memory import keep_memory


class Keyed(Protocol):
    """A Scenario, as far as a folder of results is concerned."""

    def document(self) -> dict[str, Any]:
        """Its fields as JSON holds them."""
        ...

    def key(self) -> str:
        """Ten hex digits that name it."""
        ...


def kept(
    arguments: argparse.Namespace,
    scenario: Keyed,
    name: str,
    perform: Callable[..., Record],
    draw: Callable[[Record, Path], None],
) -> tuple[Record, Path]:
    """The Scenario's Record and its folder; what lies there is not run again without --fresh.

    Args:
        arguments: ``device``, ``jobs``, ``out``, ``fresh`` and ``data_root``.
        scenario: what is run.
        name: of the command, for the folder.
        perform: runs it.
        draw: the figures, before the Record is written.

    Raises:
        BadInput: a device, number of jobs or folder that cannot be.
    """
    device = chosen_device(arguments.device)
    jobs = arguments.jobs
    if jobs is None:
        jobs = 1 if device == "cuda" else joblib.cpu_count()
    if jobs < 1:
        raise BadInput(f"--jobs is {jobs}; it must be >= 1")
    out = arguments.out or Path("runs") / f"{name}-{scenario.key()}"
    if out.exists() and not out.is_dir():
        raise BadInput(f"--out {out} is a file; it must be a folder")
    if arguments.fresh:
        shutil.rmtree(out, ignore_errors=True)
    keep_memory()
    record = records.read(out)
    if record is not None and record.scenario == scenario.document():
        print(f"{out} holds this result already (--fresh runs it again)")
        return record, out
    with Progress() as bar:
        record = perform(
            scenario,
            out=out,
            device=device,
            data_root=arguments.data_root,
            report=bar,
            jobs=jobs,
        )
    out.mkdir(parents=True, exist_ok=True)
    draw(record, out)
    records.write(record, out)
    return record, out
