"""A row for each setting and batch size: worst, median and best example, and labels named."""

from __future__ import annotations

from collections.abc import Sequence

from reports.panels.batches import Batches
from reports.tables.table import Cell, Row, Table, numbers, percent, plain, value

HEADS = (
    "victim",
    "defense",
    "batch",
    "worst (dB)",
    "median (dB)",
    "best (dB)",
    "labels named (%)",
    "records",
)
BRIEF = tuple(range(len(HEADS)))


def batch_table(found: Sequence[Batches]) -> Table:
    """The table of what a batch hides."""
    caption = "PSNR of the worst, median and best example, and the labels found, by batch size"
    rows = []
    for line in found:
        for batch in line.sizes:
            sources = batch.setting.sources
            cells = (
                plain(line.victim),
                plain(line.label),
                Cell(str(batch.size), float(batch.size)),
                *(value(number, sources, ".1f") for number in batch.spread),
                percent(batch.named, sources),
                numbers(sources),
            )
            rows.append(Row(f"{line.anchor}-{batch.size}", cells))
    return Table("batches-table", caption, HEADS, tuple(rows), BRIEF)
