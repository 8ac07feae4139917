"""The members whom a membership attack finds out first, as pictures with their risk."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from reports.records import Record, atomic
from reports.records.images import channel_note, pixels

ACROSS = 8


def exposed(record: Record, path: Path) -> Path:
    """Draw ``record.arrays["exposed"]`` (n, C, H, W), most exposed first; returns ``path``.

    Under each: its label, and how many non-members score at least as high: who accuses this one
    accuses them wrongly.
    """
    images = record.arrays["exposed"]
    rows = [row for row in record.rows if row["member"]][: len(images)]
    others = sum(not row["member"] for row in record.rows)
    down = max(1, -(-len(images) // ACROSS))
    figure, grid = plt.subplots(
        down, ACROSS, figsize=(8.6, 0.8 + 1.35 * down), squeeze=False, layout="constrained"
    )
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, image, row in zip(grid.flat, images, rows, strict=False):
        axes.imshow(pixels(image), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set_title(
            f"{row['label'][:14]}\n{row['false_alarms']} of {others}",
            fontsize=7,
            y=-0.42,
            parse_math=False,  # a label is not a formula
        )
    facts, channels = record.scenario, channel_note(images)
    figure.suptitle(
        f"Most exposed members: {facts['defense']}, {facts['model']} on {facts['data']}, "
        f"attack {record.summary['strongest']}\n"
        "below each: its label, and how many non-members score at least as high"
        + (f"; {channels}" if channels else ""),
        fontsize=9,
        parse_math=False,
    )
    with atomic(path) as scratch:
        figure.savefig(scratch, dpi=160, facecolor="white")
    plt.close(figure)
    return path
