"""The reconstruction grid: private images, guesses made without the update, and each attack's."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from reports.panels.panel import Panel, Setting
from reports.pictures.choice import Cross, chosen, find_cross
from reports.pictures.picture import EDGE, Tile, png
from reports.records.column import ATTACKERS
from reports.records.images import channel_note, drawable

IMAGES = 6


@dataclass(frozen=True)
class Strip:
    """One row of the grid: per image, the tiles of each attacker that was run.

    ``anchor`` is its setting's row, nothing for pictures that no attack made.
    """

    label: str
    anchor: str
    cells: tuple[tuple[Tile, ...], ...]


@dataclass(frozen=True)
class Grid:
    """Pictures of one panel.

    Attributes:
        seed: whose images are shown.
        images: their numbers.
        strips: truth and prior first, as far as there are any.
        cross: None without a rate x noise cross.
        both: whether there are pictures of two attackers.
        note: what is left out; may be empty.
    """

    seed: int
    images: tuple[int, ...]
    strips: tuple[Strip, ...]
    cross: Cross | None
    both: bool
    note: str


def build_grid(panel: Panel) -> Grid | None:
    """The grid of the seed that most settings hold, or None when its Records hold no pictures."""
    seeds = sorted({int(s) for x in panel.settings for c in x.scores.values() for s in c.seeds})
    seed = max(seeds, key=lambda n: sum(bool(_pictures(s, n)) for s in panel.settings))
    found = {s.anchor: _pictures(s, seed) for s in panel.settings}
    settings = [s for s in panel.settings if found[s.anchor]]
    if not settings:
        return None
    shown = chosen(settings)
    count = min(IMAGES, *(len(t) for s in shown for t in found[s.anchor].values()))
    strips = _given(panel, seed, count)
    first = len(strips)
    strips += [_strip(s, found[s.anchor], seed, count) for s in shown]
    notes = [f"Images of seed {seed}."] if len(seeds) > 1 else []
    if len(shown) < len(settings):
        notes.append(f"{len(settings) - len(shown)} settings are not drawn.")
    if len(settings) < len(panel.settings):
        missing = len(panel.settings) - len(settings)
        notes.append(f"{missing} settings have no pictures of this seed.")
    if count < panel.images:
        notes.append(f"The first {count} of {panel.images} images.")
    if any(max(t.shape[2:]) > EDGE for s in shown for t in found[s.anchor].values()):
        notes.append(f"Averaged down to {EDGE} pixels.")
    notes += sorted(
        {f"{told.capitalize()}." for s in shown for t in found[s.anchor].values()
         if (told := channel_note(t))}
    )  # fmt: skip
    both = any(len(found[s.anchor]) > 1 for s in shown)
    cross = find_cross(shown, first)
    return Grid(seed, tuple(range(count)), tuple(strips), cross, both, " ".join(notes))


def _pictures(setting: Setting, seed: int) -> dict[str, Tensor]:
    """Attacker -> (n, C, h, w) from the Record that holds this seed."""
    found: dict[str, Tensor] = {}
    for source in setting.sources:
        if source.record.scenario.get("seed") != seed:
            continue
        for column in ATTACKERS:
            images = drawable(source.record.arrays.get(f"{setting.defense}/{column}"))
            if images is not None and column in setting.scores:
                found.setdefault(column, images)
    return found


def _given(panel: Panel, seed: int, count: int) -> list[Strip]:
    """The rows that no attack made."""
    strips = []
    for name, label in (("truth", "private images"), ("prior", "best guess without the update")):
        for source in panel.sources:
            images = drawable(source.record.arrays.get(name))
            if source.record.scenario.get("seed") != seed or images is None or len(images) < count:
                continue
            column = panel.prior if name == "prior" else None
            cells = []
            for index in range(count):
                level = math.nan
                if column is not None:
                    own = (column.seeds == seed) & (column.images == index)
                    level = float(column.values["psnr"][own][0]) if own.any() else math.nan
                told = f": {level:.1f} dB" if math.isfinite(level) else ""
                alt = f"image {index}, {label}{told}"
                cells.append((Tile(png(images[index]), alt, told.removeprefix(": "), ""),))
            strips.append(Strip(label, "", tuple(cells)))
            break
    return strips


def _strip(setting: Setting, found: dict[str, Tensor], seed: int, count: int) -> Strip:
    cells = []
    for index in range(count):
        tiles = []
        for column, images in found.items():
            scores = setting.scores[column]
            own = (scores.seeds == seed) & (scores.images == index)
            level = float(scores.values["psnr"][own][0]) if own.any() else math.nan
            caption = f"{level:.1f} dB" if math.isfinite(level) else ""
            alt = f"image {index}, {setting.label}, {column} attack"
            alt += f": {caption}" if caption else ""
            tiles.append(Tile(png(images[index]), alt, caption, column))
        cells.append(tuple(tiles))
    return Strip(setting.label, setting.anchor, tuple(cells))
