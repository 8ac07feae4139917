"""A column of an inversion's Record: one attacker against one defense."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

ADAPTIVE, NAIVE = "adaptive", "naive"
ATTACKERS = (ADAPTIVE, NAIVE)
"""The attacker who replays the defense, and the one who ignores it."""


class Column(NamedTuple):
    """One attacker against one defense, of which a Record holds rows, means and guesses.

    Attributes:
        defense: its name; a round that does not count has a name of its own, see `rounds.other`.
        attacker: one of `ATTACKERS`.
    """

    defense: str
    attacker: str

    @classmethod
    def of(cls, key: str) -> Column:
        """The column that has this `key`."""
        defense, _, attacker = key.rpartition("/")
        return cls(defense, attacker)

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Column:
        """The column that a row of a Record belongs to."""
        return cls(row["defense"], ATTACKERS[not row["adaptive"]])

    def fields(self) -> dict[str, str | bool]:
        """What a row says of its column; `of_row` is the way back."""
        return {"defense": self.defense, "adaptive": self.adaptive}

    @property
    def key(self) -> str:
        """``dprs/adaptive``: names the column in a Record's summary and arrays."""
        return f"{self.defense}/{self.attacker}"

    @property
    def adaptive(self) -> bool:
        """Whether the attacker replays the defense."""
        return self.attacker == ADAPTIVE
