"""A row for everything that was judged: one word, its reason, and what it rests on."""

from __future__ import annotations

from collections.abc import Sequence

from reports.evidence.judgement import LEAKING, REFUTED, WORDS, Judgement
from reports.tables.table import Cell, Row, Table, numbers, plain

HEADS = ("verdict", "of", "because", "sample", "records")
TONES = {REFUTED: "leaks", LEAKING: "leaks"}


def verdict_table(judged: Sequence[Judgement]) -> Table:
    """The table of verdicts, in the order in which they are given: the gravest first."""
    rows = tuple(
        Row(
            f"verdict-{turn}",
            (
                Cell(one.word, float(WORDS.index(one.word)), tone=TONES.get(one.word, "quiet")),
                Cell(one.subject, one.subject.lower(), anchor=one.anchor),
                plain(one.reason),
                plain(one.sample),
                numbers(one.sources),
            ),
        )
        for turn, one in enumerate(judged, 1)
    )
    caption = "What the attacks and audits come to; no verdict says that something is safe"
    return Table("verdicts-table", caption, HEADS, rows, tuple(range(len(HEADS))))
