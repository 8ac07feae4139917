"""Private images beside what each attacker makes of one update: a row per image."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from matplotlib.figure import Figure

from reports.charts.chart import Chart, Theme, image
from reports.estimates import Estimate
from reports.panels.labels import CUT
from reports.records import Record, rounds
from reports.records.column import Column
from reports.records.images import channel_note
from reports.records.options import show_option
from reports.records.rounds import parted

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
    columns = [c for c in map(Column.of, record.summary) if c.key in record.arrays and _counts(c)]
    means = [f"{' '.join(c)} {_mean(record.summary[c.key])}" for c in columns]
    return Chart(
        "reconstructions",
        f"What one {record.scenario['model']} gradient gives away",
        f"Private images and guesses. Mean PSNR in dB by attacker: {'; '.join(means)}.",
        partial(_draw, record, columns),
        wide=True,
    )


def _draw(record: Record, columns: list[Column], theme: Theme) -> Figure:
    shown = min(len(next(iter(record.arrays.values()))), MAX_ROWS)
    names = (["truth", "prior"] if "truth" in record.arrays else []) + [c.key for c in columns]
    width = max(NARROWEST, 2 * MARGIN + len(names) * (SIDE + GAP) - GAP)
    height = TOP + shown * (SIDE + CAPTION) + BOTTOM
    figure = Figure(figsize=(width, height))
    rows = {c.key: {r["image"]: r for r in record.rows if Column.of_row(r) == c} for c in columns}
    rows["prior"] = {r["image"]: r for r in record.baseline.get("rows", [])}
    for across, name in enumerate(names):
        for down in range(shown):
            left = MARGIN + across * (SIDE + GAP)
            low = height - TOP - (down + 1) * SIDE - down * CAPTION
            axes = figure.add_axes((left / width, low / height, SIDE / width, SIDE / height))
            image(axes, record.arrays[name][down])
            axes.set_xlabel(_caption(rows.get(name, {}).get(down)), fontsize=6.8, labelpad=2.5)
            if down == 0:
                heading, colour = _heading(record, name, theme)
                axes.set_title(heading, fontsize=7.6, color=colour, pad=5, linespacing=1.35)
    _write_title(figure, record, theme)
    figure.text(0.012, 0.1 / height, _note(record, shown), fontsize=6.3, color=theme.soft)
    return figure


def _counts(column: Column) -> bool:
    """Whether a column is not of a scheduled defense's other rounds."""
    return parted(column.defense)[1] is None


def _cut(record: Record, column: Column | None = None) -> bool:
    """Whether the clock ended an attack of a column; None asks for any that is drawn."""
    ended = {Column.of_row(row) for row in record.rows if row.get("stopped") == "time"}
    return column in ended if column else any(map(_counts, ended))


def _caption(row: Mapping[str, Any] | None) -> str:
    """The scores of one guess."""
    if row is None or row["psnr"] is None:
        return ""
    second = [f"{row[k]:.2f}" if row[k] is not None else "-" for k in ("ssim", "lpips")]
    return f"{row['psnr']:.1f} dB\n{second[0]} / {second[1]}"


def _mean(scores: Mapping[str, Any]) -> str:
    return Estimate.read(scores["psnr"]).show()


def _heading(record: Record, name: str, theme: Theme) -> tuple[str, str]:
    """What stands above a column of images, and its colour."""
    if name == "truth":
        return "private\nimage\n", theme.ink
    if name == "prior":
        best = record.baseline["shown"]
        name = best.replace("_", " ")
        return f"without release\n{name}\n{_mean(record.baseline[best])}", theme.soft
    column = Column.of(name)
    held = record.bounds.get(column.defense, {}).get("round")
    place = f", step {held['step']}" if held and len(held["attacked"]) > 1 else ""
    mean = _mean(record.summary[name]) + CUT * _cut(record, column)
    colour = theme.series[0] if column.adaptive else theme.series[1]
    return f"{column.defense}{place}\n{column.attacker} attack\n{mean}", colour


def _write_title(figure: Figure, record: Record, theme: Theme) -> None:
    """Write the title, and under it how to read the figure."""
    high = figure.get_size_inches()[1]
    title = f"What one {record.scenario['model']} gradient gives away"
    figure.text(0.012, 1 - 0.22 / high, title, fontsize=11, weight="bold")
    how = (
        "Under each image: PSNR, then SSIM / LPIPS (lower is closer). "
        "Headings: mean PSNR in dB, 95% interval where there are 8 images and more."
    )
    how += f" {CUT} cut short by the clock." if _cut(record) else ""
    figure.text(0.012, 1 - 0.42 / high, how, fontsize=7, color=theme.soft)


def _note(record: Record, shown: int) -> str:
    """What each defense was set to and guarantees, and what is not drawn or drawn otherwise."""
    parts = [_promise(n, bound) for n, bound in record.bounds.items() if parted(n)[1] is None]
    more = len(record.arrays["truth"]) - shown if "truth" in record.arrays else 0
    if more:
        parts.append(f"{more} more images not drawn")
    channels = channel_note(next(iter(record.arrays.values())))
    return "; ".join(parts + [channels] * bool(channels))


def _promise(name: str, bound: Mapping[str, Any]) -> str:
    """A defense at its options, and the epsilon of its release."""
    options = [f"{k} {show_option(v)}" for k, v in bound["options"].items() if v != ""]
    text = f"{name}: {', '.join(options)}" if options else name
    if bound["epsilon"] is not None:
        text += f" (this release: ε = {bound['epsilon']:,.4g} at δ = {bound['delta']:g})"
    held = rounds.parse(bound.get("round"), "round")
    return f"{text} ({held.suffix})" if held and held.suffix else text
