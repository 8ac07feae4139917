"""Private images beside what each attacker makes of one update: a row per image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

import numpy as np

from reports.charts.chart import Chart, Figure, Theme, image
from reports.estimates import NOTHING, Estimate
from reports.panels.labels import CUT
from reports.records import Record, inversion
from reports.records.column import Column
from reports.records.images import channel_note
from reports.records.inversion import Guarantee, InversionRecord, Scores
from reports.records.options import show_option
from reports.records.rounds import part_column

MAX_ROWS = 12
"""At most so many images are drawn."""
# In inches: the side of an image, between images, below one, around, above and below all.
SIDE, GAP, CAPTION, MARGIN, TOP, BOTTOM = 1.3, 0.08, 0.4, 0.12, 1.05, 0.3
NARROWEST = 5.4
"""Inches that the line under the title takes."""


def reconstruction_chart(record: Record) -> Chart:
    """A row per image; the private one, the best guess without the release, each attacker's.

    Images past `MAX_ROWS` are left out of the picture, not of the means in the headings.

    Args:
        record: of an inversion, with ``truth`` (n, C, H, W), ``prior`` and the guesses of every
            column in ``arrays``, as far as there are any, and the rows that they belong to.
    """
    found = inversion.parse(record)
    columns = [column for column in found.columns if column.key in record.arrays]
    means = [f"{' '.join(column)} {_mean(found.means[column])}" for column in columns]
    return Chart(
        "reconstructions",
        _title(record),
        f"Private images and guesses. Mean PSNR in dB by attacker: {'; '.join(means)}.",
        partial(_draw, found, columns),
        wide=True,
    )


def _title(record: Record) -> str:
    facts = record.scenario
    if "method" in facts:
        return f"What the releases of a head by {facts['method']} give away"
    return f"What one {facts['model']} gradient gives away"


def _draw(found: InversionRecord, columns: list[Column], theme: Theme) -> Figure:
    record = found.source.record
    shown = min(len(next(iter(record.arrays.values()))), MAX_ROWS)
    names = (["truth", "prior"] if "truth" in record.arrays else []) + [c.key for c in columns]
    width = max(NARROWEST, 2 * MARGIN + len(names) * (SIDE + GAP) - GAP)
    height = TOP + shown * (SIDE + CAPTION) + BOTTOM
    figure = Figure(figsize=(width, height))
    scores = {column.key: found.columns[column] for column in columns}
    scores |= {"prior": found.prior} if found.prior else {}
    for across, name in enumerate(names):
        for down in range(shown):
            left = MARGIN + across * (SIDE + GAP)
            low = height - TOP - (down + 1) * SIDE - down * CAPTION
            axes = figure.add_axes((left / width, low / height, SIDE / width, SIDE / height))
            image(axes, record.arrays[name][down])
            axes.set_xlabel(_caption(scores.get(name), down), fontsize=6.8, labelpad=2.5)
            if down == 0:
                heading, colour = _heading(found, name, theme)
                axes.set_title(heading, fontsize=7.6, color=colour, pad=5, linespacing=1.35)
    _write_title(figure, found, theme)
    figure.text(0.012, 0.1 / height, _note(found, shown), fontsize=6.3, color=theme.soft)
    return figure


def _cut(scores: Scores) -> bool:
    """Whether the clock ended an attack."""
    return bool(scores.values["clock"].any())


def _caption(scores: Scores | None, index: int) -> str:
    """The scores of the guess at one image; nothing where there are none."""
    if scores is None or index not in scores.images:
        return ""
    place = int(np.flatnonzero(scores.images == index)[0])
    psnr, *others = (float(scores.values[name][place]) for name in ("psnr", "ssim", "lpips"))
    if math.isnan(psnr):
        return ""
    second = ["-" if math.isnan(value) else f"{value:.2f}" for value in others]
    return f"{psnr:.1f} dB\n{second[0]} / {second[1]}"


def _mean(means: Mapping[str, Estimate]) -> str:
    return means.get("psnr", NOTHING).show()


def _heading(found: InversionRecord, name: str, theme: Theme) -> tuple[str, str]:
    """What stands above a column of images, and its colour."""
    if name == "truth":
        return "private\nimage\n", theme.ink
    if name == "prior":
        guess = found.guess.replace("_", " ")
        return f"without release\n{guess}\n{_mean(found.guess_means)}", theme.soft
    column = Column.of(name)
    held = found.guarantees[column.defense].round
    place = f", step {held.step}" if held and len(held.attacked) > 1 else ""
    mean = _mean(found.means[column]) + CUT * _cut(found.columns[column])
    colour = theme.series[0] if column.adaptive else theme.series[1]
    return f"{column.defense}{place}\n{column.attacker} attack\n{mean}", colour


def _write_title(figure: Figure, found: InversionRecord, theme: Theme) -> None:
    """Write the title, and under it how to read the figure."""
    high = figure.get_size_inches()[1]
    title = _title(found.source.record)
    figure.text(0.012, 1 - 0.22 / high, title, fontsize=11, weight="bold")
    how = (
        "Under each image: PSNR, then SSIM / LPIPS (lower is closer). "
        "Headings: mean PSNR in dB, 95% interval where there are 8 images or more."
    )
    how += f" {CUT} cut short by the clock." if any(map(_cut, found.columns.values())) else ""
    figure.text(0.012, 1 - 0.42 / high, how, fontsize=7, color=theme.soft)


def _note(found: InversionRecord, shown: int) -> str:
    """What each defense was set to and guarantees, and what is not drawn or drawn otherwise."""
    arrays, named = found.source.record.arrays, found.guarantees.items()
    parts = [_promise(name, held) for name, held in named if part_column(name)[1] is None]
    more = len(arrays["truth"]) - shown if "truth" in arrays else 0
    if more:
        parts.append(f"{more} more images not drawn")
    channels = channel_note(next(iter(arrays.values())))
    return "; ".join(parts + [channels] * bool(channels))


def _promise(name: str, held: Guarantee) -> str:
    """A defense at its options, and the epsilon of its release."""
    options = [f"{k} {show_option(v)}" for k, v in held.options.items() if v != ""]
    text = f"{name}: {', '.join(options)}" if options else name
    if math.isfinite(held.epsilon):
        text += f" (this release: ε = {held.epsilon:,.4g} at δ = {held.delta:g})"
    return f"{text} ({held.round.suffix})" if held.round and held.round.suffix else text
