"""Tables for LaTeX: booktabs' rules, and no command of somebody else's."""

from __future__ import annotations

import re

from reports.tables.latex import escape, latex
from reports.tables.table import Cell, Row, Table
from tests.reports.tables.example import TABLE


def test_a_table_for_latex_has_the_rules_of_booktabs_and_no_foreign_command():
    text = latex(TABLE)
    assert [text.count(rf"\{rule}rule") for rule in ("top", "mid", "bottom")] == [1, 1, 1]
    assert r"\begin{tabular}{lrr}" in text
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")]
    assert len(re.findall(r"(?<!\\)&", body)) == 2 * 2  # between three cells of two rows
    assert r"\input" not in text and r"\frac" not in text
    assert r"$\infty$" in text and r"100\%" in text
    assert "not on paper" not in text


def test_letters_that_latex_lacks_do_not_stop_it():
    assert escape("naïve 中 … 1e\N{NON-BREAKING HYPHEN}05\x07") == r"naïve ? \ldots{} 1e-05?"


def test_words_that_are_sorted_by_a_number_stand_at_the_left():
    rows = (Row("a", (Cell("leaks", 2.0), Cell("3", 3.0))),)
    text = latex(Table("key", "verdicts", ("verdict", "records"), rows, (0, 1)))
    assert r"\begin{tabular}{lr}" in text
