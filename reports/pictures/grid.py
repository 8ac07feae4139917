"""The reconstruction grid: private images, guesses made without the update, and each attack's."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from reports.estimates.counts import count_of
from reports.panels.panel import Panel
from reports.panels.pooled import PooledScores
from reports.panels.setting import Setting
from reports.pictures.choice import Cross, choose, find_cross
from reports.pictures.picture import EDGE, Picture, png
from reports.records.column import ATTACKERS, Column
from reports.records.images import channel_note, drawable

IMAGES = 6
"""At most so many images are shown."""
GIVEN = {"truth": "private images", "prior": "best guess without the update"}
"""Arrays of a Record that no attack made, and what their rows are called."""


@dataclass(frozen=True)
class GridRow:
    """One row of the grid.

    Attributes:
        label: what is in the row: a setting, or pictures that no attack made.
        anchor: of the setting's row in the table; empty for pictures that no attack made.
        cells: of every image, a picture by each attacker that was run, the adaptive one first.
    """

    label: str
    anchor: str
    cells: tuple[tuple[Picture, ...], ...]


@dataclass(frozen=True)
class Grid:
    """Pictures of one panel: a row per setting, a column per image.

    Attributes:
        seed: of the images that are shown.
        images: the numbers of the images.
        rows: private images and best guesses first, as far as there are any, then settings.
        cross: which rows make a cross of rates and noises, or None.
        both: whether there are pictures of two attackers.
        note: what is left out; may be empty.
    """

    seed: int
    images: tuple[int, ...]
    rows: tuple[GridRow, ...]
    cross: Cross | None
    both: bool
    note: str


def build_grid(panel: Panel) -> Grid | None:
    """The grid of the seed that most settings hold, or None when its Records hold no pictures."""
    seeds = sorted({int(s) for x in panel.settings for c in x.scores.values() for s in c.seeds})
    seed = max(seeds, key=lambda n: sum(bool(_guesses(s, n)) for s in panel.settings))
    guesses = {s.anchor: _guesses(s, seed) for s in panel.settings}
    settings = [s for s in panel.settings if guesses[s.anchor]]
    if not settings:
        return None
    shown = choose(settings)
    drawn = [images for s in shown for images in guesses[s.anchor].values()]
    count = min(IMAGES, *map(len, drawn))
    rows = [
        row
        for name, label in GIVEN.items()
        if (row := _given_row(panel, name, label, seed, count)) is not None
    ]
    cross = find_cross(shown, first=len(rows))
    rows += [_setting_row(s, guesses[s.anchor], seed, count) for s in shown]
    notes = [f"Images of seed {seed}."] if len(seeds) > 1 else []
    if len(shown) < len(settings):
        notes.append(f"Not drawn: {count_of(len(settings) - len(shown), 'setting')}.")
    if len(settings) < len(panel.settings):
        missing = len(panel.settings) - len(settings)
        notes.append(f"Without pictures of this seed: {count_of(missing, 'setting')}.")
    if count < panel.images:
        notes.append(f"The first {count} of {panel.images} images.")
    if any(max(images.shape[2:]) > EDGE for images in drawn):
        notes.append(f"Averaged down to {EDGE} pixels.")
    channels = {channel_note(images) for images in drawn} - {""}
    notes += sorted(f"{note.capitalize()}." for note in channels)
    both = any(len(guesses[s.anchor]) > 1 for s in shown)
    return Grid(seed, tuple(range(count)), tuple(rows), cross, both, " ".join(notes))


def _guesses(setting: Setting, seed: int) -> dict[str, Tensor]:
    """Attacker -> (n, C, h, w) guesses, of the first Record of this seed that holds some."""
    found: dict[str, Tensor] = {}
    for source in setting.sources:
        if source.record.scenario.get("seed") != seed:
            continue
        for attacker in ATTACKERS:
            images = drawable(source.record.arrays.get(Column(setting.defense, attacker).key))
            if images is not None and attacker in setting.scores:
                found.setdefault(attacker, images)
    return found


def _given_row(panel: Panel, name: str, label: str, seed: int, count: int) -> GridRow | None:
    """A row of pictures that no attack made, from the first Record that holds enough of them."""
    for source in panel.sources:
        images = drawable(source.record.arrays.get(name))
        if source.record.scenario.get("seed") != seed or images is None or len(images) < count:
            continue
        cells = []
        for index in range(count):
            level = _psnr(panel.prior, seed, index) if name == "prior" else ""
            alt = f"image {index}, {label}" + (f": {level}" if level else "")
            cells.append((Picture(png(images[index]), alt, level, ""),))
        return GridRow(label, "", tuple(cells))
    return None


def _setting_row(setting: Setting, guesses: dict[str, Tensor], seed: int, count: int) -> GridRow:
    cells = []
    for index in range(count):
        pictures = []
        for attacker, images in guesses.items():
            level = _psnr(setting.scores[attacker], seed, index)
            alt = f"image {index}, {setting.label}, {attacker} attack"
            alt += f": {level}" if level else ""
            pictures.append(Picture(png(images[index]), alt, level, attacker))
        cells.append(tuple(pictures))
    return GridRow(setting.label, setting.anchor, tuple(cells))


def _psnr(scores: PooledScores | None, seed: int, image: int) -> str:
    """``12.3 dB`` of one guess; empty where it has no score."""
    if scores is None:
        return ""
    own = (scores.seeds == seed) & (scores.images == image)
    level = float(scores.values["psnr"][own][0]) if own.any() else math.nan
    return f"{level:.1f} dB" if math.isfinite(level) else ""
