"""Which Records lie in the given folders, which failed, and which cannot be used and why."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from defenses import BadInput
from reports.records import store
from reports.records.checks import clean
from reports.records.failure import ERROR, Failure, read_failure
from reports.records.record import Record

KEY = re.compile(r"[0-9a-f]{10}")
"""Names of a sweep's jobs; anything else could lead out of its folder."""
TYPES = {"version": int, "kind": str, "rows": list}
"""Of the fields of a Record's document that are no objects."""


@dataclass(frozen=True)
class Source:
    """One Record and where it lies.

    Attributes:
        record: with strings that every output format can hold.
        path: its folder; the current one of a Record that was never written.
        number: its position in the list of Records, from 1.
        folder: which of the given folders it was found in, from 0.
    """

    record: Record
    path: Path = Path()
    number: int = 1
    folder: int = 0

    @property
    def anchor(self) -> str:
        """Names the Record within a page, ``record-3``."""
        return f"record-{self.number}"

    @property
    def command(self) -> str | None:
        """What makes the Record again, None when it does not say."""
        found = self.record.environment.get("command")
        if isinstance(found, list) and all(isinstance(v, str) for v in found):
            return " ".join(found)
        return found if isinstance(found, str) and found else None

    @property
    def date(self) -> str:
        """Day on which it was made, or nothing."""
        found = self.record.environment.get("date")
        return found[:10] if isinstance(found, str) else ""


Skipped = tuple[Path, str]
"""A path that cannot be used, and a line that says why."""


@dataclass
class Gathered:
    """What the folders hold.

    Attributes:
        sources: the Records.
        failures: Scenarios that came to none.
        skipped: what cannot be used.
        roots: the folders.
    """

    sources: list[Source] = dataclasses.field(default_factory=list)
    failures: list[Failure] = dataclasses.field(default_factory=list)
    skipped: list[Skipped] = dataclasses.field(default_factory=list)
    roots: tuple[Path, ...] = ()

    def show_path(self, path: Path) -> str:
        """A path as a report shows it: from the folder that holds all that was searched.

        Whose machine it was, and where on it, is nobody's business who reads the report.
        """
        if not self.roots:
            return path.as_posix()
        above = os.path.commonpath([os.path.dirname(os.path.abspath(root)) for root in self.roots])
        return Path(os.path.relpath(os.path.abspath(path), above)).as_posix()


def gather(folders: Sequence[Path]) -> Gathered:
    """Every Record in or below the folders, each once, in a fixed order.

    A folder with ``sweep.json`` gives the jobs listed there and nothing else. Folders named
    ``partial`` and hidden ones are left out. A Record that cannot be read is listed in
    ``skipped``, never dropped in silence.
    """
    found = Gathered(roots=tuple(folders))
    seen: set[Path] = set()
    for turn, folder in enumerate(folders):
        for item in _search(folder, frozenset()):
            if isinstance(item, Failure):
                found.failures.append(item)
            elif isinstance(item, tuple):
                found.skipped.append(item)
            elif item.resolve() not in seen:
                seen.add(item.resolve())
                record = _read(item)
                if isinstance(record, str):
                    found.skipped.append((item, record))
                else:
                    found.sources.append(Source(record, item, len(found.sources) + 1, turn))
    return found


def _search(folder: Path, above: frozenset[Path]) -> Iterator[Path | Failure | Skipped]:
    """Folders with a ``result.json``, the failed jobs of sweeps, and what cannot be searched.

    Args:
        folder: to be searched, with those below it.
        above: the resolved folders that lead to it; a link back to one of them is not followed.
    """
    if not folder.is_dir():
        yield folder, "no folder, but a file" if folder.exists() else "no such folder"
        return
    above |= {folder.resolve()}
    if (folder / "sweep.json").is_file():
        jobs = _jobs(folder / "sweep.json")
        if not isinstance(jobs, str):
            yield from _listed_jobs(folder, jobs)
            return
        yield folder / "sweep.json", jobs
    if (folder / "result.json").is_file():
        yield folder
    try:
        below = sorted(p for p in folder.iterdir() if p.is_dir())
    except OSError as error:
        yield folder, f"cannot be listed: {error.strerror}"
        return
    for path in below:
        if path.name == "partial" or path.name.startswith(".") or path.resolve() in above:
            continue
        yield from _search(path, above)


def _jobs(path: Path) -> dict[str, str] | str:
    """Keys and commands of a sweep's jobs, or why they cannot be had."""
    try:
        jobs = json.loads(path.read_text(encoding="utf-8"))["jobs"]
        keys = {job["key"]: clean(job.get("command")) for job in jobs}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return "not readable as a sweep; the folders below it were searched instead"
    if not all(isinstance(k, str) and KEY.fullmatch(k) for k in keys):
        return "its jobs have keys of another form; the folders below it were searched instead"
    return {key: told if isinstance(told, str) else "" for key, told in keys.items()}


def _listed_jobs(folder: Path, jobs: dict[str, str]) -> Iterator[Path | Failure]:
    """The folders of a sweep's finished jobs, and those that failed or were not run."""
    for key, command in jobs.items():
        path = folder / key
        if (path / "result.json").is_file():
            yield path
        elif (path / ERROR).is_file():
            yield read_failure(path)
        else:
            yield Failure(path, {}, command, "not run yet, or not finished")


def _read(path: Path) -> Record | str:
    """The Record with cleaned strings, or why there is none."""
    try:
        record = store.open_record(path)
    except BadInput as error:
        return str(error)
    except RecursionError:
        record = None
    if record is None:
        return "not readable as a Record"
    for name, value in record.document().items():
        if not isinstance(value, TYPES.get(name, dict)):
            return f"{name} has another type than in a Record"
    try:
        facts = clean(record.document())
    except RecursionError:
        return "nested too deeply"
    return Record.of(facts, record.arrays)
