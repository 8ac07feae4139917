"""What long work says where nobody watches."""

from __future__ import annotations

import pytest

from reports.commands.progress import APART, FIRST, Progress, expect, span, unwatched


@pytest.mark.parametrize(
    ("seconds", "said"), [(4.4, "4 s"), (89, "89 s"), (600, "10 min"), (9000, "2.5 h")]
)
def test_a_span_of_time_is_as_short_as_it_reads(seconds, said):
    assert span(seconds) == said


def test_a_log_gets_a_line_now_and_then_with_the_time_left(capsys):
    clock = iter([0.0, 1.0, FIRST + 1, FIRST + 2, FIRST + APART + 1])
    with Progress("deep: ", now=lambda: next(clock)) as report:
        report("one", 2, 12)  # two are left from an earlier run
        assert capsys.readouterr().err == ""
        report("two", 4, 12)  # 2 in 10 s
        assert capsys.readouterr().err == "[4/12, about 40 s left] deep: two\n"
        report("three", 5, 12)
        assert capsys.readouterr().err == ""
        report("four", 6, 12)
        assert capsys.readouterr().err == "[6/12, about 60 s left] deep: four\n"


def test_nothing_is_promised_before_a_piece_is_done(capsys):
    clock = iter([0.0, FIRST, FIRST + APART])
    with Progress(now=lambda: next(clock)) as report:
        report("practice", 0, 3)
        report("practice", 0, 3)
    assert capsys.readouterr().err == "[0/3] practice\n[0/3] practice\n"


def test_long_work_is_told_before_it_begins_and_counted_down(capsys):
    clock = iter([0.0, 0.0, 40.0, 40.0])
    with Progress(now=lambda: next(clock)) as report:
        expect(report, lambda: 120.0)
        assert capsys.readouterr().err == "about 2 min on this machine\n"
        report("practice", 0, 3)
    assert capsys.readouterr().err == "[0/3, about 80 s left] practice\n"


def test_quick_work_is_not_told(capsys):
    with Progress(now=lambda: 0.0) as report:
        expect(report, lambda: FIRST / 2)
    assert capsys.readouterr().err == ""


def test_nothing_is_tried_where_nobody_watches():
    expect(unwatched, lambda: pytest.fail("a step was tried"))
