"""What to do next, once for all that asks for it."""

from __future__ import annotations

from collections.abc import Sequence

from reports.evidence.judgement import Judgement
from reports.panels.labels import shorten
from reports.sentences.sentence import Link, Sentence, list_links

MOST, LONGEST = 3, 120
"""At most so many subjects are named in one step, each by so many characters."""


def next_steps(judged: Sequence[Judgement]) -> list[Sentence]:
    """A sentence for each remedy with what it is for, in the order of the judgements."""
    groups: dict[str, list[Judgement]] = {}
    for one in judged:
        groups.setdefault(one.remedy, []).append(one)
    return [
        (
            f"{remedy} (",
            *list_links([Link(shorten(g.subject, LONGEST), g.anchor) for g in group], MOST),
            ").",
        )
        for remedy, group in groups.items()
    ]
