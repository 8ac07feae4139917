"""Rounds of a scheduled defense: how a Record names those that count and those that do not.

Where a defense changes along a run, an attack tries several steps of a nominal one. The worst for
privacy counts and is stored under the defense's own name; the others are ``NAME@STEP``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from reports.evidence.control import MARGIN
from reports.records.checks import mapping, number, sequence, whole_number
from reports.records.form import Count, Number
from reports.records.options import Option, show_option

_OTHER = re.compile(r"(?s)(.+)@(\d{1,9})")


class RoundDocument(TypedDict):
    """`Round.document`."""

    step: Count
    steps: Number
    options: dict[str, Option]
    attacked: list[Count]
    unseen: list[Count]


@dataclass(frozen=True)
class Round:
    """The round that counts.

    Attributes:
        step: of the nominal run, from 0.
        steps: that run's.
        options: of the defense at that step, those that its schedule changed.
        attacked: steps that were attacked, in order.
        unseen: steps that an adversary might choose too, and that cannot be attacked without
            what the run remembers.
    """

    step: int
    steps: int
    options: Mapping[str, Option] = field(default_factory=dict)
    attacked: tuple[int, ...] = ()
    unseen: tuple[int, ...] = ()

    @property
    def suffix(self) -> str:
        """What a label says of it: ``worst of 3 rounds``; nothing where there is no schedule."""
        if len(self.attacked) > 1:
            return f"worst of {len(self.attacked)} rounds"
        return f"round {self.step}" if self.options else ""

    def told(self) -> str:
        """One or two sentences: which rounds were attacked, which one counts, and why."""
        listed = ", ".join(f"{step:,}" for step in self.attacked)
        here = ", ".join(f"{k} {show_option(v)}" for k, v in self.shown)
        place = f"step {self.step:,}" + (f" ({here})" if here else "")
        parts = []
        if len(self.attacked) > 1:
            parts.append(
                f"attacked at steps {listed} of a nominal run of {self.steps:,}; {place} gives "
                "most away and counts (the most of several, picked after looking: it errs on the "
                "adversary's side)"
            )
        elif self.options:
            parts.append(f"attacked at {place} of a nominal run of {self.steps:,}")
        if self.unseen:
            steps = ", ".join(f"{step:,}" for step in self.unseen)
            parts.append(
                f"what it releases later (steps {steps}) depends on the steps before and is not "
                "attacked here: victims.train --record-every, then --observation"
            )
        return "; ".join(parts)

    @property
    def shown(self) -> list[tuple[str, Option]]:
        """The options, numbers and texts; switches only say that there was a schedule."""
        return [(k, v) for k, v in self.options.items() if not isinstance(v, bool)]

    def document(self) -> RoundDocument:
        """As JSON holds it."""
        return RoundDocument(
            step=self.step,
            steps=self.steps,
            options=dict(self.options),
            attacked=list(self.attacked),
            unseen=list(self.unseen),
        )


def severity(gains: Sequence[float], ranks: Sequence[float]) -> tuple[float, float, float]:
    """Sorts rounds; the highest is the worst for privacy.

    By the mean gain where that is `control.MARGIN` and more; a smaller one is chance as easily,
    and does not hide a round that names the private image more often.

    Args:
        gains: PSNR above guessing, dB, of every image.
        ranks: places in the candidate game, 1 where the private image was named first.
    """
    gain = sum(gains) / len(gains) if gains else 0.0
    named = sum(rank == 1 for rank in ranks) / len(ranks) if ranks else 0.0
    return gain if gain >= MARGIN else 0.0, named, gain


def other(defense: str, step: int) -> str:
    """The name of a round."""
    return f"{defense}@{step}"


def part_column(name: str) -> tuple[str, int | None]:
    """Defense and step of a round; the name itself and None for what counts."""
    found = _OTHER.fullmatch(name)
    return (found[1], int(found[2])) if found else (name, None)


def parse(found: Any, what: str) -> Round | None:
    """Check and convert ``bounds[defense]["round"]``; None where there is none.

    Raises:
        ValueError: something has a type or range that no Record has; one line says what.
    """
    if found is None:
        return None
    told = mapping(found, what)
    options = mapping(told.get("options", {}), f"{what}.options")
    for name, value in options.items():
        if not isinstance(value, bool | str):
            number(value, f"{what}.options.{name}")
    steps = {
        name: tuple(whole_number(v, f"{what}.{name}") for v in sequence(told.get(name, []), what))
        for name in ("attacked", "unseen")
    }
    step, total = (whole_number(told.get(n), f"{what}.{n}") for n in ("step", "steps"))
    if not 0 <= step < total:
        raise ValueError(f"{what}.step is out of range")
    return Round(
        step,
        total,
        options,
        **steps,
    )
