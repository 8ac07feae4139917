"""The members whom a membership attack finds out first, as pictures with their risk."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch

from reports.charts.chart import Chart, Figure, Theme, image
from reports.records.exposed import ExposedMember
from reports.records.images import channel_note
from reports.records.membership import MembershipRecord
from reports.records.training import in_training_words

ACROSS = 8
"""So many pictures in a row."""
LONGEST = 14
"""Characters of a label that stand under a picture."""


def exposed_chart(record: MembershipRecord) -> Chart:
    """The members of which the Record holds a picture, most exposed first.

    Under each: its label, and how many non-members score at least as high: who accuses this one
    accuses them wrongly.
    """
    shown = [member for member in record.exposed if member.image is not None]
    facts = in_training_words(record.source.record.scenario)
    where = f"{facts['defense']}, {facts['model']} on {facts['data']}, attack {record.strongest}"
    numbers = [f"{m.label[:LONGEST]}: {_alarms(m)}" for m in shown]
    return Chart(
        f"{record.anchor}-faces",
        f"Most exposed members: {where}",
        f"Members, and how many non-members score at least as high. {'; '.join(numbers)}.",
        partial(_draw, shown, f"Most exposed members: {where}"),
        wide=True,
    )


def _draw(shown: Sequence[ExposedMember], title: str, theme: Theme) -> Figure:
    down = max(1, -(-len(shown) // ACROSS))
    figure = Figure(figsize=(8.6, 0.75 + 1.4 * down), layout="constrained")
    grid = figure.subplots(down, ACROSS, squeeze=False)
    for axes in grid.flat[len(shown) :]:
        axes.set_axis_off()
    for axes, member in zip(grid.flat, shown, strict=False):
        assert member.image is not None
        image(axes, member.image)
        axes.set_xlabel(f"{member.label[:LONGEST]}\n{_alarms(member)}", fontsize=7, labelpad=3)
    how = "below each: its label, and how many non-members score at least as high"
    images = [m.image for m in shown if m.image is not None]
    channels = channel_note(torch.stack(images)) if images else ""
    how += f"; {channels}" if channels else ""
    figure.suptitle(f"{title}\n{how}", fontsize=9)
    return figure


def _alarms(member: ExposedMember) -> str:
    return f"{member.false_alarms} of {member.others}"
