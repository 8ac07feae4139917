"""Figures drawn from Records alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from reports.estimates import Estimate
from reports.panels.labels import CUT
from reports.records import Record, atomic, rounds
from reports.records.column import Column
from reports.records.images import channel_note, pixels
from reports.records.options import show_option
from reports.records.rounds import parted

MAX_ROWS = 12
# Inches.
TILE, GAP, CAPTION, MARGIN, TOP, BOTTOM = 1.3, 0.08, 0.4, 0.12, 1.05, 0.3
NARROWEST = 5.4
"""Inches that the line under the title takes."""
INK = "#1a1a1a"
SOFT = "#5f6368"
# Okabe-Ito blue and vermilion stay apart for every kind of colour blindness.
ADAPTIVE, NAIVE = "#0072b2", "#d55e00"


def reconstructions(record: Record, path: Path) -> Path:
    """The reconstruction grid: a row per image, a column per defense and attacker.

    Reads ``truth`` (n, C, H, W), ``prior`` and ``<defense>/<column>`` of ``record.arrays`` and
    the matching rows; writes a PNG atomically and returns its path. Images past `MAX_ROWS` are
    left out of the picture, not of the means in the headings.
    """
    columns = [k for k in record.summary if k in record.arrays and _counts(Column.of(k))]
    truth = record.arrays.get("truth")
    shown = min(len(next(iter(record.arrays.values()))), MAX_ROWS)
    names = (["truth", "prior"] if truth is not None else []) + columns
    width = max(NARROWEST, 2 * MARGIN + len(names) * (TILE + GAP) - GAP)
    height = TOP + shown * (TILE + CAPTION) + BOTTOM
    figure = plt.figure(figsize=(width, height))
    scores = {k: {r["image"]: r for r in record.rows if Column.of_row(r).key == k} for k in columns}
    scores["prior"] = {r["image"]: r for r in record.baseline.get("rows", [])}
    for across, name in enumerate(names):
        for down in range(shown):
            left = MARGIN + across * (TILE + GAP)
            low = height - TOP - (down + 1) * TILE - down * CAPTION
            box = (left / width, low / height, TILE / width, TILE / height)
            axes = figure.add_axes(box)
            _tile(axes, record.arrays[name][down])
            if name != "truth":
                row = scores[name].get(down)
                axes.set_xlabel(_caption(row), fontsize=6.8, color=INK, labelpad=2.5)
            if down == 0:
                heading, colour = _heading(record, name)
                axes.set_title(heading, fontsize=7.6, color=colour, pad=5, linespacing=1.35)
    _titles(figure, record, shown)
    with atomic(path) as scratch:
        figure.savefig(scratch, dpi=200, facecolor="white")
    plt.close(figure)
    return path


def _counts(column: Column) -> bool:
    """Whether a column is not of a scheduled defense's other rounds."""
    return parted(column.defense)[1] is None


def _cut(record: Record, name: str | None = None) -> bool:
    """Whether the clock ended an attack of a column; None asks for any that is drawn."""
    ended = {Column.of_row(row) for row in record.rows if row.get("stopped") == "time"}
    return Column.of(name) in ended if name else any(map(_counts, ended))


def _tile(axes: Axes, image: Tensor) -> None:
    axes.imshow(pixels(image), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)


def _caption(row: dict[str, Any] | None) -> str:
    if row is None or row["psnr"] is None:
        return ""
    second = [f"{row[k]:.2f}" if row[k] is not None else "-" for k in ("ssim", "lpips")]
    return f"{row['psnr']:.1f} dB\n{second[0]} / {second[1]}"


def _heading(record: Record, name: str) -> tuple[str, str]:
    if name == "truth":
        return "private\nimage\n", INK
    if name == "prior":
        best = record.baseline["shown"].replace("_", " ")
        mean = Estimate.read(record.baseline[record.baseline["shown"]]["psnr"]).show()
        return f"without release\n{best}\n{mean}", SOFT
    defense, attacker = Column.of(name)
    mean = Estimate.read(record.summary[name]["psnr"]).show()
    held = record.bounds.get(defense, {}).get("round")
    place = f", step {held['step']}" if held and len(held["attacked"]) > 1 else ""
    colour = ADAPTIVE if attacker == "adaptive" else NAIVE
    mean += CUT * _cut(record, name)
    return f"{defense}{place}\n{attacker} attack\n{mean}", colour


def _titles(figure: Figure, record: Record, shown: int) -> None:
    facts = record.scenario
    parts = []
    for name, bound in record.bounds.items():
        if parted(name)[1] is not None:
            continue
        told = {k: v for k, v in bound["options"].items() if v != ""}
        options = ", ".join(f"{k} {show_option(v)}" for k, v in told.items())
        text = f"{name}: {options}" if options else name
        if bound["epsilon"] is not None:
            text += f" (this release: ε = {bound['epsilon']:,.4g} at δ = {bound['delta']:g})"
        held = rounds.parse(bound.get("round"), "round")
        if held and held.suffix:
            text += f" ({held.suffix})"
        parts.append(text)
    high = figure.get_size_inches()[1]
    figure.text(
        0.012,
        1 - 0.22 / high,
        f"What one {facts['model']} gradient gives away",
        fontsize=11,
        weight="bold",
        color=INK,
    )
    figure.text(
        0.012,
        1 - 0.42 / high,
        "Under each image: PSNR, then SSIM / LPIPS (lower is closer). "
        "Headings: mean PSNR in dB, 95% interval where there are 8 images and more."
        + (f" {CUT} cut short by the clock." if _cut(record) else ""),
        fontsize=7,
        color=SOFT,
    )
    note = "; ".join(parts)
    more = len(record.arrays["truth"]) - shown if "truth" in record.arrays else 0
    note += f"; {more} more images not drawn" if more else ""
    channels = channel_note(next(iter(record.arrays.values())))
    note += f"; {channels}" if channels else ""
    figure.text(0.012, 0.1 / high, note, fontsize=6.3, color=SOFT)
