"""A row for each change of a score between two sets of Records."""

from __future__ import annotations

from collections.abc import Sequence

from reports.panels.changes import LESS, MORE, Change
from reports.scores import SCORES
from reports.tables.table import Cell, Row, Table, figure, plain, value

TONES = {MORE: "leaks", LESS: "quiet"}
HEADS = (
    "setting",
    "study",
    "attacker",
    "score",
    "before",
    "after",
    "difference",
    "pairs",
    "p",
    "verdict",
)


def change_table(changes: Sequence[Change]) -> Table:
    """The adaptive attacker's changes first; numbers lead to the Records before and after."""
    scores = list(SCORES)
    first = sorted(changes, key=lambda c: (c.attacker != "adaptive", scores.index(c.score)))
    rows = tuple(_row(f"change-{turn}", one) for turn, one in enumerate(first, 1))
    caption = "Differences, after minus before, paired by image"
    return Table("changes-table", caption, HEADS, rows, brief=(0, 2, 3, 4, 5, 6, 8, 9))


def _row(anchor: str, one: Change) -> Row:
    was, now = one.old.sources, one.new.sources
    score = SCORES[one.score]
    cells = (
        plain(one.setting),
        plain(one.panel),
        plain(one.attacker),
        plain(score.label),
        value(one.before, was, f".{score.digits}f"),
        value(one.after, now, f".{score.digits}f"),
        figure(one.difference, (*now, *was), score.digits + 1),  # smaller than either score
        Cell(str(one.difference.n), float(one.difference.n)),
        value(one.p, (*now, *was), ".2g"),
        Cell(one.verdict, one.verdict, tone=TONES.get(one.verdict, "")),
    )
    return Row(anchor, cells)
