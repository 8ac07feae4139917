"""The members whom a membership attack finds out first, and whom else it accuses with them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from reports.estimates import Estimate
from reports.records.checks import mapping, sequence, text, whole_number
from reports.records.images import drawable
from reports.records.record import Record

FEW = 8
"""So many are listed where there are no pictures."""


@dataclass(frozen=True)
class ExposedMember:
    """A member whom an attack finds out before most others.

    Attributes:
        rank: 1 for the member with the highest score.
        example: the member's number among the candidates.
        label: the member's class.
        false_alarms: non-members that score at least as high: accusing it accuses them wrongly.
        others: non-members in all, at least 1.
        image: (1 or 3, h, w), None where the Record holds no picture of it.
    """

    rank: int
    example: int
    label: str
    false_alarms: int
    others: int
    image: Tensor | None

    @property
    def share(self) -> Estimate:
        """Share of the non-members that score at least as high, Clopper-Pearson interval."""
        return Estimate.share(self.false_alarms, self.others)

    def show_share(self) -> str:
        """``0.02% [0.00, 0.11]``, with as many digits as the smallest share above 0 needs."""
        digits = max(1, math.ceil(math.log10(self.others)) - 2)
        ends = (self.share.mean, self.share.low, self.share.high)
        mean, low, high = (f"{100 * x:.{digits}f}" for x in ends)
        return f"{mean}% [{low}, {high}]"


def parse(record: Record) -> tuple[ExposedMember, ...]:
    """The members that the Record keeps as most exposed, in their order; often none.

    As many as it holds pictures, the first `FEW` where it holds none that can be drawn.

    Raises:
        ValueError: rows that no Record has; one line says what.
    """
    rows = [mapping(row, "rows") for row in sequence(record.rows, "rows")]
    bits = [row.get("member") for row in rows]
    if not all(isinstance(bit, bool) for bit in bits):
        raise ValueError("rows.member is not true or false")
    others = bits.count(False)
    mine = [row for row in rows if row["member"]]
    alarms = [whole_number(row.get("false_alarms"), "rows.false_alarms") for row in mine]
    if any(not 0 <= count <= others for count in alarms):
        raise ValueError(f"rows.false_alarms is not in [0, {others}], the others in the rows")
    if alarms != sorted(alarms):
        raise ValueError("rows are not in the order of their false alarms")
    images = drawable(record.arrays.get("exposed"))
    count = FEW if images is None else len(images)
    if not others:
        return ()
    return tuple(
        ExposedMember(
            turn + 1,
            whole_number(row.get("example"), "rows.example"),
            text(row.get("label"), "rows.label"),
            alarms[turn],
            others,
            None if images is None else images[turn],
        )
        for turn, row in enumerate(mine[:count])
    )
