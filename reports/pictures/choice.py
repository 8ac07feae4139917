"""Which settings a grid shows, and how they lie by rate and noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.panels.setting import Setting
from reports.panels.spread import evenly
from reports.records.options import NOISE, RATE

ROWS = 30
"""At most so many settings are shown."""
SIDE = 5
"""Of more than `ROWS` settings, at most so many rates and noises are."""


@dataclass(frozen=True)
class Cross:
    """Settings of one defense by rate and noise, as places in the grid.

    Attributes:
        defense: the name of the defense.
        rates: ascending, the columns.
        noises: ascending, the rows.
        places: (row, column) of the cross -> position in `Grid.rows`.
    """

    defense: str
    rates: tuple[float, ...]
    noises: tuple[float, ...]
    places: dict[tuple[int, int], int]


def choose(settings: Sequence[Setting]) -> list[Setting]:
    """Choose at most `ROWS` settings.

    Whole rates and noises are left out first, so that a cross stays one.
    """
    if len(settings) <= ROWS:
        return list(settings)
    kept = list(settings)
    for name in (RATE, NOISE):
        values = sorted({v for s in settings if (v := s.option(name)) is not None})
        own = set(evenly(values, SIDE))
        kept = [s for s in kept if s.option(name) is None or s.option(name) in own]
    return evenly(kept, ROWS)


def find_cross(shown: Sequence[Setting], first: int) -> Cross | None:
    """The largest rate x noise cross of one defense, at one value of its other options.

    Args:
        shown: the settings of the grid, in its order.
        first: the row of the first setting in the grid.
    """
    best: Cross | None = None
    for name in dict.fromkeys(s.defense for s in shown):
        rows: dict[tuple[float, float], int] = {}
        for row, setting in enumerate(shown, first):
            rate, noise = setting.option(RATE), setting.option(NOISE)
            if setting.defense == name and rate is not None and noise is not None:
                rows.setdefault((noise, rate), row)
        noises, rates = (tuple(sorted({k[i] for k in rows})) for i in (0, 1))
        if len(noises) < 2 or len(rates) < 2 or len(rows) < 4:
            continue
        places = {(noises.index(n), rates.index(r)): row for (n, r), row in sorted(rows.items())}
        if best is None or len(places) > len(best.places):
            best = Cross(name, rates, noises, places)
    return best
