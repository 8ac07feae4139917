from __future__ import annotations

import pytest

from reports.tables.table import Cell, Row, Table, literal, markdown
from tests import outcomes

HOSTILE = [
    outcomes.HOSTILE,
    "[click](javascript:alert(1))",
    "![x](https://example.org/beacon.png)",
    "a | b | c",
    "two\n\n# lines",
    "`code` *bold* _it_ ~~gone~~ $x$",
    "https://example.org and www.example.org",
    "\\[a\\](b)",
    "&lt;b&gt;",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_nothing_but_itself_in_markdown(name):
    text = literal(name)
    assert "\n" not in text and "<" not in text and ">" not in text
    for mark in "[]()`*_|!#~$":
        at = [i for i, c in enumerate(text) if c == mark]
        # An odd number of backslashes before it: the mark itself is escaped.
        for i in at:
            before = len(text[:i]) - len(text[:i].rstrip("\\"))
            assert before % 2 == 1, text
    assert "http:" not in text and "https:" not in text and "www." not in text
    row = Row("row", (Cell(name), Cell(name)))
    lines = markdown(Table("key", name, (name, "b"), (row,), (0, 1))).splitlines()
    assert len(lines) == 5
    unescaped = [line.replace("\\\\", "").replace("\\|", "").count("|") for line in lines[2:]]
    assert unescaped == [3, 3, 3]
