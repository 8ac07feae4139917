"""A sentence with links, for the page, and without, for paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Link:
    """Words that lead to an anchor of the page."""

    text: str
    anchor: str


Sentence = tuple[str | Link, ...]
MOST = 3
"""At most so many settings are named in one sentence."""


def plain(sentence: Sentence) -> str:
    """The sentence without its links."""
    return "".join(p if isinstance(p, str) else p.text for p in sentence)


def list_links(
    links: Sequence[Link], most: int, between: str = ", ", more: str = " and {} more"
) -> Iterator[str | Link]:
    """The first ``most`` links, and how many more there are.

    Args:
        links: in their order.
        most: at most so many are named.
        between: stands between two.
        more: how the number of the others is said.
    """
    for turn, link in enumerate(links[:most]):
        yield from (between, link) if turn else (link,)
    if len(links) > most:
        yield more.format(len(links) - most)
