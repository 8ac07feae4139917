"""One word on everything that was judged, with its reason, what it rests on, and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from reports.records.find import Source

REFUTED, UNJUDGED, LEAKING, UNBROKEN = "refuted", "unjudged", "leaks", "unbroken"
WORDS = (REFUTED, UNJUDGED, LEAKING, UNBROKEN)
"""In the order in which they matter to who decides. None of them says that something is safe."""


@dataclass(frozen=True)
class Judgement:
    """One word on a setting, a membership attack or an audit.

    Attributes:
        word: of `WORDS`.
        subject: what was judged, for people.
        reason: why this word, in one line with its number.
        sample: how much was looked at, such as ``8 images``.
        remedy: what to do next.
        anchor: names the row of the page that holds the number.
        sources: the Records behind it.
        rival: whether it is about a defense that was only attacked beside the one under study.
    """

    word: str
    subject: str
    reason: str
    sample: str
    remedy: str
    anchor: str
    sources: tuple[Source, ...]
    rival: bool = False
