"""The list of a sweep's Scenarios, ``sweep.json`` in its folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from defenses import BadInput
from reports.records import atomic
from reports.sweep.combine import Job

LIST = "sweep.json"


def write_list(out: Path, jobs: Sequence[Job]) -> None:
    """Which Records in the folder belong to this sweep; others may be left from earlier ones."""
    out.mkdir(parents=True, exist_ok=True)
    listed = [{"key": j.key, "argv": list(j.argv), "command": j.again} for j in jobs]
    with atomic(out / LIST) as scratch:
        scratch.write_text(json.dumps({"jobs": listed}, indent=1) + "\n", encoding="utf-8")


def listed_keys(out: Path) -> set[str]:
    """Keys of the Scenarios that ``sweep.json`` lists; none where it is not a sweep's."""
    try:
        text = (out / LIST).read_text(encoding="utf-8")
        return {str(job["key"]) for job in json.loads(text)["jobs"]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return set()


def refuse_another(out: Path, jobs: Sequence[Job]) -> None:
    """A sweep may grow or be cut; one that is neither would drop another from all reports.

    Raises:
        BadInput: the folder lists Records of a sweep that is neither part nor whole of this one.
    """
    before, now = listed_keys(out), {job.key for job in jobs}
    kept = {key for key in before if (out / key / "result.json").exists()}
    if kept - now and not now <= before:
        raise BadInput(
            f"{out} lists another sweep, {len(kept - now)} of whose Records this one does not "
            f"have: choose another --out, or delete {out / LIST}"
        )
