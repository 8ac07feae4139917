"""The most exposed members as pictures with their risk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from reports.pictures.picture import EDGE, Tile, png, told_channels
from reports.records.exposed import Accused
from reports.records.find import Source
from reports.records.membership import MembershipRecord
from reports.tables.table import Cell, Row, Table, numbers, plain

ALONE, TOGETHER = 16, 8
"""Pictures of each Record: where there is one, and where there are several."""
LONGEST = 40
"""Characters of a label that stand under a picture."""


@dataclass(frozen=True)
class Gallery:
    """The members that one Record exposes most.

    Attributes:
        anchor: unique within the page.
        source: the Record.
        title: what is shown.
        tiles: most exposed first; ``data`` is empty where there is no picture.
        table: the same without pictures.
        note: what the captions mean, and what is left out.
    """

    anchor: str
    source: Source
    title: str
    tiles: tuple[Tile, ...]
    table: Table
    note: str


def build_galleries(found: Sequence[MembershipRecord]) -> tuple[Gallery, ...]:
    """One per Record that says whom it exposes."""
    telling = [m for m in found if m.exposed]
    most = ALONE if len(telling) == 1 else TOGETHER
    return tuple(_gallery(m, m.exposed[:most], turn == 0) for turn, m in enumerate(telling))


def _gallery(one: MembershipRecord, shown: Sequence[Accused], explained: bool) -> Gallery:
    facts = one.source.record.scenario
    names = [str(facts.get(name, "-"))[:LONGEST] for name in ("defense", "model", "data")]
    where = "Defense {}, {} on {}".format(*names)
    attack = f", attack {one.strongest[:LONGEST]}" if one.strongest else ""
    note = f"{where}{attack}."
    if explained:
        note += (
            " Below each: its rank and label, its number among the candidates, how many of the "
            "others, who are no members, score at least as high: accusing it accuses them wrongly; "
            "and their share with its 95% interval (Clopper-Pearson)."
        )
    if any(a.image is not None and max(a.image.shape[1:]) > EDGE for a in shown):
        note += f" Averaged down to {EDGE} pixels."
    channels = next((told_channels(a.image[None]) for a in shown if a.image is not None), "")
    note += f" {channels.capitalize()}." if channels else ""
    title = f"Most exposed members, record {one.source.number}"
    tiles = tuple(_tile(a) for a in shown)
    return Gallery(f"{one.anchor}-exposed", one.source, title, tiles, _table(one, shown), note)


def _tile(one: Accused) -> Tile:
    label = one.label if len(one.label) <= LONGEST else one.label[: LONGEST - 1] + "…"
    lines = (
        f"#{one.rank} {label}",
        f"example {one.example}",
        f"{one.alarms:,} of {one.others:,} others",
        _share(one),
    )
    alt = f"member of rank {one.rank}, {label}, example {one.example}"
    return Tile(b"" if one.image is None else png(one.image), alt, "\n".join(lines), "")


def _share(one: Accused) -> str:
    """``0.02% [0.00, 0.11]``, with as many digits as the smallest share above 0 needs."""
    rate = one.rate
    digits = max(1, math.ceil(math.log10(one.others)) - 2)
    mean, low, high = (f"{100 * x:.{digits}f}" for x in (rate.mean, rate.low, rate.high))
    return f"{mean}% [{low}, {high}]"


def _table(one: MembershipRecord, shown: Sequence[Accused]) -> Table:
    heads = (
        "rank",
        "label",
        "example",
        "non-members with at least its score",
        "share of the non-members",
        "records",
    )
    own = (one.source,)
    anchor = f"{one.anchor}-exposed"
    rows = tuple(
        Row(
            f"{anchor}-{a.rank}",
            (
                Cell(str(a.rank), a.rank),
                plain(a.label),
                Cell(str(a.example), a.example),
                Cell(f"{a.alarms} of {a.others}", a.alarms, own),
                Cell(_share(a), a.rate.mean, own),
                numbers(own),
            ),
        )
        for a in shown
    )
    caption = f"The members that record {one.source.number} exposes most"
    return Table(f"{anchor}-table", caption, heads, rows, tuple(range(len(heads))))
