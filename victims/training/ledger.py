"""Adds up what weights have cost: every training behind them, its people and its releases."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from defenses import BadInput
from defenses.privacy.accounting import Spent
from reports.records.packed import DAMAGE
from victims.data import BUILT_IN, TORCHVISION, whole
from victims.data.people import count_matches, looks, unpack


@dataclass(frozen=True)
class Part:
    """One training behind some weights.

    Attributes:
        data: the data's name, as the user spelled it.
        looks: the looks of the private images (`victims.data.people.pack`), "" where unknown.
        spent: noise multiplier, sample rate, steps.
        holds: whether the accountants' assumptions were true of it.
    """

    data: str
    looks: str
    spent: Spent
    holds: bool

    def document(self) -> dict[str, Any]:
        """The fields as JSON holds them."""
        fields = {"data": self.data, "looks": self.looks, "holds": self.holds}
        return {**fields, "spent": list(self.spent)}


@dataclass(frozen=True)
class Past:
    """What the weights that a run starts from have cost its people.

    Attributes:
        parts: every training behind the weights.
        history: the releases of those trainings whose people the run's are, or may be.
        holds: whether the accountants' assumptions were true of that history.
        remarks: lines for the user.
    """

    parts: tuple[Part, ...] = ()
    history: tuple[Spent, ...] = ()
    holds: bool = True
    remarks: tuple[str, ...] = ()


UNTOLD = (
    "the starting weights say of no training: epsilon assumes that they saw none of these images"
)


def past_of(path: Path, spec: str, images: Tensor) -> Past:
    """What the weights in ``path`` have spent on the people of a run to come.

    A training counts where its data have the same name, or one image in common, whatever the
    file format or size; and where neither can be told.

    Args:
        path: a safetensors file to start from.
        spec: the name of the run's data, see `victims.load_data`.
        images: (N, C, H, W) private images of the run.

    Raises:
        BadInput: the file is not readable, or its ledger is damaged.
    """
    parts = parts_of(path)
    if parts is None:
        return Past(remarks=(UNTOLD,))
    ours = looks(images) if any(part.looks for part in parts) else None
    counted, remarks = [], []
    for part in parts:
        why = _why_counted(part, spec, ours)
        if why:
            counted.append(part)
            remarks.append(f"{why}: their epsilon is counted")
        if why and not part.holds:
            remarks.append(
                f"what they spent on {part.data} is no guarantee, and so the sum is none"
            )
    return Past(
        parts,
        tuple(part.spent for part in counted),
        all(part.holds for part in counted),
        tuple(dict.fromkeys(remarks)),
    )


def _why_counted(part: Part, spec: str, ours: Tensor | None) -> str:
    """Why a training counts; "" where it does not."""
    if _same_spelling(part.data) == _same_spelling(spec):
        return "the starting weights were trained on this data"
    named = {*BUILT_IN, *TORCHVISION}
    if part.data in named and spec in named:
        return ""
    if not part.looks or ours is None:
        return f"nothing tells whether the starting weights saw these images as {part.data}"
    count = count_matches(ours, unpack(part.looks))
    return f"{count} of these images look like some of {part.data}, seen before" if count else ""


def _same_spelling(spec: str) -> str:
    """A name of data in one spelling; folders by where they lie."""
    if not spec.startswith("folder:"):
        return spec
    try:
        return f"folder:{Path(spec[7:]).expanduser().resolve()}"
    except (OSError, RuntimeError, ValueError):  # no path of this machine
        return spec


def parts_of(path: Path) -> tuple[Part, ...] | None:
    """The trainings behind the weights in a file; None where it says of none.

    Raises:
        BadInput: the file is not readable, or what it says is damaged.
    """
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            text = (file.metadata() or {}).get("facts")
    except (OSError, SafetensorError) as error:
        raise BadInput(f"{path} is not a readable safetensors file: {error}") from error
    if text is None:
        return None
    try:
        facts = json.loads(text)
        if "parts" in facts:
            if not (isinstance(facts["parts"], list) and facts["parts"]):
                raise ValueError("it tells of no training")
            return tuple(_part(entry) for entry in facts["parts"])
        spent, training = spent_of(facts["ledger"]), facts["training"]
        # Files of earlier versions: all of it on the same data, and only the last one's batches
        # are known.
        sound = len(spent) == 1 and training["sampling"] == "poisson"
        return tuple(Part(str(training["data"]), "", each, sound) for each in spent)
    except DAMAGE as error:
        raise BadInput(f"{path} holds a damaged ledger: {error}") from error


def _part(entry: Mapping[str, Any]) -> Part:
    """A training from what a file says of it, checked."""
    data, seen = str(entry["data"]), str(entry["looks"])
    unpack(seen)
    (spent,) = spent_of([entry["spent"]])
    return Part(data, seen, spent, entry["holds"] is True)


def spent_of(ledger: Sequence[Any]) -> list[Spent]:
    """A ledger as files hold it, checked.

    Raises:
        ValueError, TypeError: it is no ledger.
    """
    entries: list[Spent] = []
    for noise, rate, steps in ledger:
        if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in (noise, rate)):
            raise ValueError(f"no training spends {noise!r:.40}, {rate!r:.40}")
        if not whole(steps, 0):
            raise ValueError(f"no training has {steps!r:.40} steps")
        if not (noise >= 0 and math.isfinite(noise) and 0 < rate <= 1):
            raise ValueError(f"no training spends {noise:g}, {rate:g}, {steps}")
        entries.append((float(noise), float(rate), steps))
    if not entries:
        raise ValueError("it tells of no training")
    return entries
