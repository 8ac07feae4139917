"""So many things, and no counted noun of a command's sentences that is always a plural."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reports.estimates.counts import count_of

ROOT = Path(__file__).parents[3]
SHOWN = sorted(path for room in ("attacks", "victims") for path in (ROOT / room).rglob("show.py"))
ALWAYS = re.compile(
    r"""\{(?![A-Z]+\})[\w.\["'\]()]+\} (?:\w+ )?"""
    r"(?:images|examples|releases|rounds|runs|seeds|shadow models|steps|times)\b"
)
"""A number that is no constant, and what is counted as several whatever the number is."""


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 canaries"), (1, "1 canary"), (2, "2 canaries"), (1200, "1,200 canaries")],
)
def test_one_thing_is_no_plural(number, words):
    assert count_of(number, "canary", "canaries") == words


def test_what_commands_print_counts_by_it():
    assert len(SHOWN) > 5
    found = [(path.name, hit) for path in SHOWN for hit in ALWAYS.findall(path.read_text())]
    assert found == []
