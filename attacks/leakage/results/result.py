"""What the results of all kinds of leakage tests share: Records, a figure, lines for messages."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from attacks.leakage.numbers import CANNOT_JUDGE, Leak
from attacks.leakage.subject import Subject
from reports import records
from reports.panels.setting import FALSE
from reports.records import Record
from reports.records.find import Source

APART = {"defense", "defense_options", "seed", "against"}
"""Fields of a job in which comparable results may differ; what is shown beside it is one."""
Units = Mapping[str, float]
"""One leak of each image (``seed/image``) or example (``17 member``); their mean is the leak."""


@dataclass(frozen=True, eq=False, repr=False)
class Result(ABC):
    """A defense, attacked.

    Attributes:
        subject: the defense.
        records: one per seed, as ``python -m reports.build`` reads them.
        folder: where the Records and the figure go when somebody asks for them.
    """

    subject: Subject
    records: tuple[Record, ...]
    folder: Path

    kind: ClassVar[str] = ""

    @property
    def settings(self) -> dict[str, Any]:
        """What was run, but for defense and seed; only results that share it are compared."""
        return {k: v for k, v in self.records[0].scenario.items() if k not in APART}

    @property
    def setting(self) -> str:
        """The same for people, in short."""
        facts = self.records[0].scenario
        return f"{facts['model']} on {facts['data']}"

    @cached_property
    def figure(self) -> Path:
        """The picture of this result; it and the Records are written when this is first read."""
        for record in self.records:
            seed = self.folder if len(self.records) == 1 else self._seeded(record)
            records.write(record, seed)
        self.folder.mkdir(parents=True, exist_ok=True)
        return shorten(self.draw(self.records[0], self.folder))

    @property
    @abstractmethod
    def epsilon(self) -> float:
        """Of the guarantee, infinite where there is none."""

    @property
    @abstractmethod
    def doubt(self) -> str:
        """Why finding little here is no evidence; empty where it is some."""

    @abstractmethod
    def draw(self, record: Record, folder: Path) -> Path:
        """Draw into the folder, return the picture's path."""

    @abstractmethod
    def leaks(self) -> list[Leak]:
        """The numbers for a summary."""

    @abstractmethod
    def units(self) -> dict[str, Units]:
        """Leak -> its value for each image or example, which later runs are compared with."""

    @abstractmethod
    def context(self) -> list[str]:
        """Lines that follow any number of this result in a message."""

    @abstractmethod
    def contradictions(self) -> list[str]:
        """What contradicts the guarantee, see `reports.evidence.refuted`; often nothing."""

    @property
    def refutation(self) -> list[str]:
        """The same as one line of a message; none where nothing does."""
        found = self.contradictions()
        return [f"{FALSE}: {'; '.join(found)}"] if found else []

    def headline(self) -> str:
        """One line for the terminal."""
        numbers = "; ".join(leak.show() for leak in self.leaks())
        finite = math.isfinite(self.epsilon)
        promised = f"claimed epsilon {self.epsilon:.4g}" if finite else "no epsilon is claimed"
        lines = [f"{self.kind} of {self.subject.label}, {self.setting}: {numbers}", promised]
        return "; ".join([*lines, *self.refutation, *self.controls()])

    def controls(self) -> list[str]:
        """What is said of the positive control in every line about this result."""
        return [f"{CANNOT_JUDGE}: {self.doubt}"] if self.doubt else []

    def __repr__(self) -> str:
        return f"<{self.kind} of {self.subject.label}>"

    def _seeded(self, record: Record) -> Path:
        return self.folder / f"seed-{record.scenario['seed']}"


def shorten(path: Path) -> Path:
    """A path as short as it can be said from here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def sources(found: Sequence[Record], folder: Path) -> list[Source]:
    """Records as the reports know them."""
    return [Source(record, folder, number) for number, record in enumerate(found, 1)]
