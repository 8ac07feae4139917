"""The positive control of a federation's uploads: do they give members away undefended?"""

from __future__ import annotations

from dataclasses import dataclass

from reports.estimates import Estimate


@dataclass(frozen=True)
class Undefended:
    """What the attacks find in uploads that nothing defends, at the same seed.

    Attributes:
        areas: attack -> AUC, whose intervals hold for all at once; empty where none was played.
        beside: whether they are a twin's; else the result itself is undefended.
    """

    areas: dict[str, Estimate]
    beside: bool

    @property
    def holds(self) -> bool:
        """Whether members are told from chance without a defense, by any of the attacks."""
        return any(area.low > 0.5 for area in self.areas.values())

    @property
    def doubt(self) -> str:
        """Why finding nobody is no evidence; empty where it is some."""
        return "" if self.holds else self.show()

    def show(self) -> str:
        """One line for people: what undefended uploads give away."""
        if not self.areas:
            return "no undefended twin was played"
        name = max(self.areas, key=lambda n: self.areas[n].low)
        where = "the undefended twin at the same seed" if self.beside else "undefended uploads"
        found = "are told" if self.holds else "are not told"
        several = len(self.areas) > 1
        rest = f", the best of {len(self.areas)} attacks, its interval allows for that" * several
        area = self.areas[name].show(3)
        return f"in {where} members {found} from chance: AUC {area} by {name}{rest}"
