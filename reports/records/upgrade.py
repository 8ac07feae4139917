"""Documents of Records as earlier versions of the format stored them, brought up to this one.

A new version is a line in `STEPS` and one function here: what wrote Records before is never
imported, so that a step keeps working when the code that it is about is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from defenses import BadInput
from reports.records.record import VERSION

UNKNOWN = "unknown"
"""Kind of a Record of version 1 that is of none that was ever written."""
Document = dict[str, Any]


def upgrade(document: Document, arrays: Collection[str]) -> Document:
    """A document as the present version would hold it; one that says no version is of the first.

    Args:
        document: as ``result.json`` holds it; it is left as it is.
        arrays: names of the Record's arrays.

    Raises:
        BadInput: it is of a later version than this, which may mean other things by its fields.
        ValueError: its version is no whole number from 1.
    """
    version = document.get("version", 1)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ValueError("version is no whole number from 1")
    if version > VERSION:
        raise BadInput(
            f"it is of format version {version}, and this leakgauge reads versions up to {VERSION}"
        )
    for step in range(version, VERSION):
        document = {**STEPS[step](document, arrays), "version": step + 1}
    return document


def _with_kind(document: Document, arrays: Collection[str]) -> Document:
    """From version 1 to 2: the kind was told by what only Records of that kind hold."""
    scenario, summary = (_mapping(document.get(name)) for name in ("scenario", "summary"))
    rows = document.get("rows")
    rows = rows if isinstance(rows, list) else []
    if {"attack", "columns"} <= scenario.keys():
        kind = "observation" if "observation" in scenario else "inversion"
    elif "accuracy" in summary:
        kind = "training"
    elif "auc" in summary or "members" in arrays:
        kind = "membership"
    elif rows and all({"claimed", "audited"} <= _mapping(row).keys() for row in rows):
        kind = "audit"
    else:
        kind = UNKNOWN
    return {**document, "kind": kind}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


STEPS: dict[int, Callable[[Document, Collection[str]], Document]] = {1: _with_kind}
"""Version -> what brings a document of it to the next."""
