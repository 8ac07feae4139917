"""Saves a federation after a round and takes it up again: tensors and facts, never unpickled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from defenses import BadInput
from defenses.errors import is_refused
from reports.records.packed import read_packed, write_packed
from reports.records.training import Round
from victims.federated.serve import Asked, Course

FORMAT = "leakgauge-federation-1"
LATEST = "checkpoint.safetensors"
Kept = dict[int, dict[str, Tensor]]
"""Participant -> what it keeps to itself, which only an engine in this process knows."""


@dataclass(frozen=True)
class Checkpoint:
    """A federation after a round.

    Attributes:
        federation: its settings, as a document.
        content: digest of all that it works on.
        facts: all of server and course that is no tensor.
        rows: a row per round that is done.
        tensors: all the tensors, by names of their own.
    """

    federation: dict[str, Any]
    content: str
    facts: dict[str, Any]
    rows: list[Round]
    tensors: dict[str, Tensor]


def snapshot(course: Course, rows: list[Round], kept: Kept) -> Checkpoint:
    """The federation as it is between two rounds."""
    server = course.server
    tensors = {f"weights/{k}": v for k, v in server.weights.items()}
    tensors |= {f"counters/{k}": v for k, v in server.counters.items()}
    tensors |= {f"memory/{k}": v for k, v in server.memory.items()}
    for who, values in kept.items():
        tensors |= {f"kept/{who}/{k}": v for k, v in values.items()}
    flight = []
    for place, asked in enumerate(course.flight):
        told = asked.answer if isinstance(asked.answer, str) else ""
        flight.append([asked.participant, asked.added, told])
        if isinstance(asked.answer, dict):
            tensors |= {f"flight/{place}/{k}": v for k, v in asked.answer.items()}
    facts = {
        "round": course.round,
        "flight": flight,
        "asked": server.asked,
        "rejected": [dict(counts) for counts in server.rejected],
        "norms": server.norms,
        "added": server.added,
        "ages": sorted(server.ages.items()),
        "sent": server.sent,
        "received": server.received,
    }
    plan = server.plan
    return Checkpoint(plan.federation.document(), plan.content, facts, list(rows), tensors)


def restore(checkpoint: Checkpoint, course: Course) -> Kept:
    """Bring a new course to where the checkpoint is; what participants keep is returned.

    Raises:
        BadInput: the checkpoint is of another federation, of other data, or damaged.
    """
    server, plan = course.server, course.server.plan
    if checkpoint.federation != plan.federation.document():
        raise BadInput("the folder holds another federation: choose another --out, or --fresh")
    if checkpoint.content != plan.content:
        raise BadInput(
            "the data or weights of the federation in the folder have changed since it began: "
            "choose another --out, or --fresh"
        )
    parts = _parts(checkpoint.tensors)
    facts = checkpoint.facts
    try:
        if parts["weights"].keys() != server.weights.keys():
            raise ValueError("its parameters are not the model's")
        # In the model's order, which a file does not keep, and on which ties and sums hang.
        server.weights = {k: parts["weights"][k] for k in server.weights}
        server.counters = {k: parts["counters"][k] for k in server.weights}
        server.memory = parts.get("memory", {})
        server.asked = [int(n) for n in facts["asked"]]
        server.rejected = [Counter(counts) for counts in facts["rejected"]]
        server.norms = [float(n) for n in facts["norms"]]
        server.added = int(facts["added"])
        server.ages = Counter({int(age): int(n) for age, n in facts["ages"]})
        server.sent, server.received = int(facts["sent"]), int(facts["received"])
        course.round = int(facts["round"])
        course.flight = [
            Asked(int(who), int(added), "", told or parts.get(f"flight/{place}", {}))
            for place, (who, added, told) in enumerate(facts["flight"])
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(f"the checkpoint is damaged: {error}") from error
    return {
        int(name.partition("/")[2]): values
        for name, values in parts.items()
        if name.startswith("kept/")
    }


def save(checkpoint: Checkpoint, path: Path) -> Path:
    """Write a checkpoint; a kill leaves the one that was there. Returns ``path``."""
    names = ("federation", "content", "facts", "rows")
    facts = {name: getattr(checkpoint, name) for name in names}
    return write_packed(path, FORMAT, facts, checkpoint.tensors)


def read(path: Path) -> Checkpoint:
    """Read a checkpoint from a file.

    Raises:
        BadInput: the file is missing, truncated, or no such checkpoint.
    """
    facts, tensors = read_packed(path, FORMAT, "checkpoint of a federation")
    try:
        return Checkpoint(**facts, tensors=tensors)
    except TypeError as error:
        raise BadInput(f"{path} is not a readable checkpoint of a federation: {error}") from error


def holds_federation(folder: Path) -> bool:
    """Whether the checkpoint of a federation lies in a folder."""
    return not is_refused(read, folder / LATEST)


def _parts(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """The tensors by the part that they are of; parts with a number have it in their name."""
    parts: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        part, _, rest = name.partition("/")
        if part in ("kept", "flight"):
            number, _, rest = rest.partition("/")
            part = f"{part}/{number}"
        parts.setdefault(part, {})[rest] = value
    return parts
