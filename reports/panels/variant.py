"""A defense at its options: what Records of different kinds have in common."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from reports.records.find import Source
from reports.records.options import Option, name_option, option_place, same_option, show_option


@dataclass(frozen=True)
class Variant:
    """A defense at its options.

    Attributes:
        defense: the defense's name.
        options: those that a Record names.
    """

    defense: str
    options: Mapping[str, Option]

    def fits(self, other: Variant) -> bool:
        """Whether both are one defense and agree on every option that both name."""
        both = self.options.keys() & other.options.keys()
        return self.defense == other.defense and all(
            same_option(self.options[n], other.options[n]) for n in both
        )

    def without_switches(self) -> Variant:
        """The same with numbers and texts alone, as Records of some kinds name no others."""
        kept = {k: v for k, v in self.options.items() if not isinstance(v, bool)}
        return Variant(self.defense, kept)

    def show(self, names: Collection[str], digits: int = 4, note: str = "") -> str:
        """``dprs rate 0.9, noise 0.01``: the defense, those of its options that are named, a note.

        Args:
            names: names of the options that are shown.
            digits: significant digits of numbers.
            note: comes last; may be empty.
        """
        told = self.show_options(names, digits)
        return f"{self.defense} {', '.join(part for part in (told, note) if part)}".rstrip()

    def show_options(self, names: Collection[str], digits: int = 4) -> str:
        """``rate 0.9, noise 0.01``: those of the options that are named, for people."""
        own = sorted(self.options.keys() & set(names), key=option_place)
        return ", ".join(f"{name_option(n)} {show_option(self.options[n], digits)}" for n in own)

    @property
    def label(self) -> str:
        """The defense and all of its options, for people."""
        return self.show(self.options)


def variant_of(source: Source) -> Variant:
    """The variant that a membership or audit Record is about; without switches.

    What a private head has for a defense is its method.
    """
    facts, bounds = source.record.scenario, source.record.bounds
    defense = facts.get("defense", facts.get("method"))
    options = bounds.get("options") or facts.get("defense_options") or {}
    known = options if isinstance(options, dict) else {}
    told = {str(k): v for k, v in known.items() if isinstance(v, int | float | str)}
    usable = {k: v for k, v in told.items() if isinstance(v, str) or math.isfinite(v)}
    return Variant(str(defense) if isinstance(defense, str) else "-", usable).without_switches()


def varying_options(variants: Sequence[Variant]) -> set[tuple[str, str]]:
    """(defense, option) of every option in which two variants of the defense differ.

    One that names the option differs from one that does not.
    """
    first: dict[str, Variant] = {}
    found = set()
    for variant in variants:
        one = first.setdefault(variant.defense, variant).options
        names = one.keys() | variant.options.keys()
        differing = {n for n in names if n not in one or one[n] != variant.options.get(n)}
        found |= {(variant.defense, n) for n in differing}
    return found
