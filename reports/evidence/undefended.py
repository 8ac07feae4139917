"""The positive control of a federation's uploads: do they give members away undefended?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from reports import detection
from reports.estimates import Estimate
from reports.estimates.intervals import simultaneous_level


@dataclass(frozen=True)
class Undefended:
    """What the attacks find in uploads that nothing defends, at the same seed.

    Attributes:
        samples: attack -> its scores of members and others; empty where none are stored.
        told: attack -> AUC as the Record has it, whose intervals hold for its attacks at once; it
            counts where no scores are stored and no other Record is judged with it. Empty where
            no control was played.
        beside: whether they are a twin's; else the result itself is undefended.
        compared: how many results the control is the best of, all attacks and Records that are
            judged together: the intervals hold for all of them at once.
    """

    samples: dict[str, detection.Sample]
    told: dict[str, Estimate]
    beside: bool
    compared: int

    @cached_property
    def areas(self) -> dict[str, Estimate]:
        """Attack -> AUC, with intervals that hold for all that is compared."""
        level = simultaneous_level(self.compared)
        return self.told | {k: detection.auc(s, level) for k, s in self.samples.items()}

    @property
    def holds(self) -> bool:
        """Whether members are told from chance without a defense, by any of the attacks.

        Of controls that are compared and in which nobody could be told, one or more hold with a
        chance of 1 - `reports.estimates.intervals.LEVEL` at most.
        """
        return any(area.low > 0.5 for name, area in self.areas.items() if self._allows(name))

    def _allows(self, name: str) -> bool:
        """Whether an attack's interval allows for all that is compared."""
        return name in self.samples or self.compared <= len(self.told)

    @property
    def doubt(self) -> str:
        """Why finding nobody is no evidence; empty where it is some."""
        return "" if self.holds else self.show()

    def show(self) -> str:
        """One line for people: what undefended uploads give away."""
        if not self.areas:
            return "no undefended twin was played"
        name = max(self.areas, key=lambda n: (self._allows(n), self.areas[n].low))
        where = "the undefended twin at the same seed" if self.beside else "undefended uploads"
        found = "are told" if self.holds else "are not told"
        best = ""
        if not self._allows(name):
            best = f", by an interval that allows for {len(self.told)} of {self.compared} results"
        elif self.compared > 1:
            best = f", the best of {self.compared} results, its interval allows for that"
        area = self.areas[name].show(3)
        return f"in {where} members {found} from chance: AUC {area} by {name}{best}"
