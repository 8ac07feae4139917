"""Which settings a grid shows, and how they lie by rate and noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.panels.evenly import evenly
from reports.panels.panel import Setting
from reports.records.options import NOISE, RATE

ROWS = 30
"""At most so many settings are shown."""
SIDE = 5
"""Of more than `ROWS` settings, at most so many rates and noises are."""


@dataclass(frozen=True)
class Cross:
    """Settings of one defense by rate and noise, as places in the grid.

    Attributes:
        defense: its name.
        rates: ascending, the columns.
        noises: ascending, the rows.
        strips: (row, column) -> position in `Grid.strips`.
    """

    defense: str
    rates: tuple[float, ...]
    noises: tuple[float, ...]
    strips: dict[tuple[int, int], int]


def chosen(settings: Sequence[Setting]) -> list[Setting]:
    """At most `ROWS`: whole rates and noises are left out first, so that a cross stays one."""
    if len(settings) <= ROWS:
        return list(settings)
    kept = list(settings)
    for name in (RATE, NOISE):
        values = sorted({v for s in settings if (v := s.option(name)) is not None})
        own = set(evenly(values, SIDE))
        kept = [s for s in kept if s.option(name) is None or s.option(name) in own]
    return evenly(kept, ROWS)


def find_cross(shown: Sequence[Setting], first: int) -> Cross | None:
    """The largest rate x noise cross of one defense, at one value of its other options."""
    best: Cross | None = None
    for name in dict.fromkeys(s.defense for s in shown):
        places: dict[tuple[float, float], int] = {}
        for turn, setting in enumerate(shown):
            rate, noise = setting.option(RATE), setting.option(NOISE)
            if setting.defense == name and rate is not None and noise is not None:
                places.setdefault((noise, rate), first + turn)
        noises, rates = (tuple(sorted({k[i] for k in places})) for i in (0, 1))
        if len(noises) < 2 or len(rates) < 2 or len(places) < 4:
            continue
        strips = {
            (noises.index(n), rates.index(r)): place for (n, r), place in sorted(places.items())
        }
        if best is None or len(strips) > len(best.strips):
            best = Cross(name, rates, noises, strips)
    return best
