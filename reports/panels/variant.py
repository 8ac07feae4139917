"""A defense at its options: what Records of different kinds have in common."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from reports.panels.labels import name_option, same_option, show_option
from reports.records.find import Source
from reports.records.inversion import Option


@dataclass(frozen=True)
class Spot:
    """A defense at its options, which attacks of different kinds have in common.

    Attributes:
        defense: its name.
        options: those that a Record names.
    """

    defense: str
    options: Mapping[str, float | str]

    def fits(self, other: Spot) -> bool:
        """Whether both are one defense and agree on every option that both name."""
        both = self.options.keys() & other.options.keys()
        return self.defense == other.defense and all(
            same_option(self.options[n], other.options[n]) for n in both
        )

    @property
    def label(self) -> str:
        """For people."""
        told = [f"{name_option(n)} {show_option(v)}" for n, v in self.options.items()]
        return f"{self.defense} {', '.join(told)}".rstrip()


def spot_of(defense: str, options: Mapping[str, Option]) -> Spot:
    """The spot of options as Records hold them; switches are left out."""
    kept = {
        k: v if isinstance(v, str) else float(v)
        for k, v in options.items()
        if not isinstance(v, bool)
    }
    return Spot(defense, kept)


def recorded(source: Source) -> Spot:
    """The spot of a membership or audit Record."""
    facts, bounds = source.record.scenario, source.record.bounds
    defense = facts.get("defense")
    options = bounds.get("options") or facts.get("defense_options") or {}
    known = options if isinstance(options, dict) else {}
    told = {str(k): v for k, v in known.items() if isinstance(v, int | float | str)}
    usable = {k: v for k, v in told.items() if isinstance(v, str) or math.isfinite(v)}
    return spot_of(str(defense) if isinstance(defense, str) else "-", usable)
