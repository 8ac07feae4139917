"""The most exposed members as pictures with their risk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.panels.labels import shorten
from reports.pictures.picture import EDGE, Picture, png
from reports.records.exposed import ExposedMember
from reports.records.find import Source
from reports.records.images import channel_note
from reports.records.membership import MembershipRecord

ALONE, TOGETHER = 16, 8
"""Pictures of each Record: where there is one, and where there are several."""
LONGEST = 40
"""Characters of a label that stand under a picture."""


@dataclass(frozen=True)
class Gallery:
    """The members that one Record exposes most.

    Attributes:
        anchor: names the gallery within the page.
        source: the Record.
        title: what the gallery shows.
        members: those that are shown, most exposed first.
        pictures: one of each member; ``data`` is empty where there is none.
        note: what the captions mean, and what is left out.
    """

    anchor: str
    source: Source
    title: str
    members: tuple[ExposedMember, ...]
    pictures: tuple[Picture, ...]
    note: str


def build_galleries(records: Sequence[MembershipRecord]) -> tuple[Gallery, ...]:
    """A gallery of each Record that says whom it exposes."""
    telling = [m for m in records if m.exposed]
    most = ALONE if len(telling) == 1 else TOGETHER
    return tuple(_gallery(m, m.exposed[:most], index == 0) for index, m in enumerate(telling))


def _gallery(
    record: MembershipRecord, shown: tuple[ExposedMember, ...], explained: bool
) -> Gallery:
    facts = record.source.record.scenario
    names = [str(facts.get(name, "-"))[:LONGEST] for name in ("defense", "model", "data")]
    where = "Defense {}, {} on {}".format(*names)
    attack = f", attack {record.strongest[:LONGEST]}" if record.strongest else ""
    note = f"{where}{attack}."
    if explained:
        note += (
            " Below each: its rank and label, its number among the candidates, how many of the "
            "others, who are no members, score at least as high: accusing it accuses them wrongly; "
            "and their share with its 95% interval (Clopper-Pearson)."
        )
    if any(m.image is not None and max(m.image.shape[1:]) > EDGE for m in shown):
        note += f" Averaged down to {EDGE} pixels."
    channels = next((channel_note(m.image[None]) for m in shown if m.image is not None), "")
    note += f" {channels.capitalize()}." if channels else ""
    title = f"Most exposed members, record {record.source.number}"
    pictures = tuple(_picture(member) for member in shown)
    return Gallery(f"{record.anchor}-exposed", record.source, title, shown, pictures, note)


def _picture(member: ExposedMember) -> Picture:
    label = shorten(member.label, LONGEST)
    lines = (
        f"#{member.rank} {label}",
        f"example {member.example}",
        f"{member.false_alarms:,} of {member.others:,} others",
        member.show_share(),
    )
    alt = f"member of rank {member.rank}, {label}, example {member.example}"
    return Picture(b"" if member.image is None else png(member.image), alt, "\n".join(lines), "")
