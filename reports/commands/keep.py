"""One Scenario of a command from its flags to a kept Record: found again, or run and drawn."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import joblib

from defenses import BadInput
from defenses.errors import one_line
from reports import records
from reports.commands.claim import Claim, Writes, claim
from reports.commands.flags import chosen_device
from reports.commands.origins import origins
from reports.commands.owned import PIECES
from reports.commands.progress import Progress
from reports.records import Record
from reports.records.keyed import Keyed
from reports.records.kinds import check_written

RECORD = ("result.json", "arrays.safetensors")


def run_or_reuse(
    arguments: argparse.Namespace,
    scenario: Keyed,
    name: str,
    run: Callable[..., Record],
    draw: Callable[[Record, Path], object],
    figures: Sequence[str],
    content: Callable[[Any, str | None], str],
) -> tuple[Record, Path]:
    """The Scenario's Record and its folder; what lies there is not run again without --fresh.

    The folder is locked, and known to be writable, before anything is computed. What an earlier
    run left is deleted once the new one has been found to be possible. A figure that cannot be
    drawn costs one line on stderr and not the Record; the next run tries to draw it.

    Args:
        arguments: ``device``, ``out``, ``fresh``, ``data_root`` and, where the command has it,
            ``jobs``.
        scenario: what is run.
        name: of the command after ``attacks.``, for the folder.
        run: makes the Record of a Scenario.
        draw: the figures, before the Record is written.
        figures: names of the files that ``draw`` writes.
        content: of the Scenario and ``data_root``: digest of the data that it sees, which the
            Record's environment holds as ``data_sha256``.

    Raises:
        BadInput: a device, number of jobs or folder that cannot be; a folder that holds the
            result of other flags, or of other data under the same name; one that another run is
            writing, or that ``fresh`` would have to empty of what is not this command's.
    """
    context: dict[str, Any] = {"device": chosen_device(arguments.device)}
    context["data_root"] = arguments.data_root
    if hasattr(arguments, "jobs"):
        context["jobs"] = _jobs(arguments.jobs, context["device"])
    out = arguments.out or Path("runs") / f"{name}-{scenario.key()}"
    writes = Writes(f"attacks.{name}", (*RECORD, *PIECES, *figures))
    with claim(out, writes, lambda folder: is_made_by(writes.command, folder)) as held:
        if arguments.fresh:
            held.refuse_strangers()
            held.clear(PIECES)
        elif (record := earlier_record(out, scenario.document())) is not None:
            refuse_other(record, content(scenario, arguments.data_root), out)
            print(f"{out} holds this result already (--fresh runs it again)")
            if not all((out / figure).exists() for figure in figures):
                attempt(partial(draw, record, out))
            return record, out
        with Progress() as bar:
            report = _ClearFirst(bar, held) if arguments.fresh else bar
            record = run(scenario, out=out, report=report, **context)
            report("writing", 1, 1)
        attempt(partial(draw, record, out))
        records.write(check_written(record), out)
    return record, out


def result_paths(out: Path, figures: Sequence[str]) -> str:
    """The paths of the Record and of the figures that are there, a line each."""
    drawn = [name for name in figures if (out / name).exists()]
    return "\n".join(str(out / name) for name in (*RECORD, *drawn))


def earlier_record(out: Path, document: dict[str, Any]) -> Record | None:
    """The Record in ``out``, None where none has been finished.

    Raises:
        BadInput: it is another Scenario's than ``document``, what that names has changed since
            (`reports.commands.origins`), or it cannot be read.
    """
    if not (out / "result.json").exists():
        return None
    record = records.read(out)
    if record is None:
        raise BadInput(f"{out} holds a result that cannot be read: --fresh replaces it")
    if record.scenario != document:
        raise BadInput(
            f"{out} holds the result of other flags or another version: choose another --out, "
            "or --fresh to replace it"
        )
    now, then = origins(document), record.environment.get("origins", {})
    changed = sorted(name for name in now.keys() | then.keys() if now.get(name) != then.get(name))
    if changed:
        raise BadInput(
            f"{out} holds a result of other files: what {' and '.join(changed)} names has changed, "
            "or was not noted; choose another --out, or --fresh to replace it"
        )
    return record


def refuse_other(record: Record, content: str, out: Path) -> None:
    """Raise `BadInput` where a Record is of other data than those that now have their name."""
    before = record.environment.get("data_sha256")
    if before is not None and before != content:
        raise BadInput(
            f"{out} holds the result of these flags on other images: the data have changed since; "
            "choose another --out, or --fresh to replace it"
        )


def is_made_by(command: str, folder: Path) -> bool:
    """Whether the folder's Record says that the command made it."""
    record = records.read(folder)
    told = None if record is None else record.environment.get("command")
    return f"-m {command} " in f"{told} "


class _ClearFirst:
    """Progress whose first report, when all flags have been found good, deletes the old result."""

    def __init__(self, bar: Progress, held: Claim) -> None:
        self.bar, self.held, self.clear = bar, held, True

    def expect(self, seconds: float) -> None:
        self.bar.expect(seconds)

    def __call__(self, line: str, done: int, total: int) -> None:
        if self.clear:
            self.held.clear()
            self.clear = False
        self.bar(line, done, total)


def attempt(draw: Callable[[], object]) -> bool:
    """Draw a figure; one that cannot be drawn costs a line on stderr. Returns whether it was."""
    try:
        draw()
    except Exception as error:  # whatever a drawing library says, the numbers are there
        why = one_line(error)
        print(f"a figure could not be drawn: {why}; the result is kept", file=sys.stderr)
        return False
    return True


def _jobs(given: int | None, device: str) -> int:
    if given is None:
        return 1 if device == "cuda" else int(joblib.cpu_count())
    if given < 1:
        raise BadInput(f"--jobs is {given}; it must be >= 1")
    return given
