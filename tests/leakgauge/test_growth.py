"""`leakgauge growth`: what is measured, and what is said of it."""

from __future__ import annotations

import json
import math

import pytest

from defenses import BadInput
from leakgauge.growth import apart, command
from leakgauge.growth.axes import AXES
from leakgauge.growth.curve import Curve, Point
from reports.charts.growth import Growing, growth_chart
from reports.charts.render import to_png

QUICK = ("batch", "parameters", "scenarios")


def curve(power: float, start: float = 0.0) -> Curve:
    sizes = (10, 100, 1000, 10000)
    return Curve("act", tuple(Point(s, (start + s**power,) * 3, 1.0) for s in sizes))


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_a_curve_tells_its_power(power):
    assert curve(power).exponent() == pytest.approx(power, abs=1e-9)


def test_what_starting_costs_is_not_taken_for_growth():
    assert curve(1.0, start=50.0).exponent() > 0.9
    assert math.isnan(Curve("act", (Point(10, (1.0,), None),)).exponent())


@pytest.mark.parametrize(
    "axis", [a if a in QUICK else pytest.param(a, marks=pytest.mark.slow) for a in AXES]
)
@pytest.mark.parametrize("floor", [False, True])
def test_every_axis_measures_its_least_size(axis, floor):
    point = apart._measure(axis, AXES[axis].sizes[0], floor, 1, 0)
    assert point.size == AXES[axis].sizes[0] and point.median > 0


@pytest.mark.parametrize("name", AXES)
def test_an_axis_grows(name):
    sizes = AXES[name].sizes
    assert list(sizes) == sorted(set(sizes)) and len(sizes) >= 3


def test_the_memory_that_a_size_needs_is_seen():
    own = apart._measure("parameters", 10**6, True, 1, 0)
    if own.peak_mb is not None:
        assert own.peak_mb > 4  # the gradients alone take 4 bytes each


def test_the_command_prints_a_table_writes_its_rows_and_draws(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(
        command,
        "measure_apart",
        lambda axis, size, *, floor, repeats, seed: Point(size, (size / (1 + floor),) * 3, 2.0),
    )
    kept, figure = tmp_path / "rows.json", tmp_path / "growth.png"
    words = ["--axes", "scenarios", "--json", str(kept), "--figure", str(figure)]
    assert command.main(words) == 0
    told = capsys.readouterr().out
    assert "| Scenarios of a sweep | 10,000 | planned | 1e+04 (1e+04-1e+04) | 2 |" in told
    assert "| Scenarios of a sweep | planned | 1.00 | their digests | 1.00 |" in told
    rows = json.loads(kept.read_text())["rows"]
    assert len(rows) == 2 * len(AXES["scenarios"].sizes)
    assert figure.stat().st_size > 10_000
    again = tmp_path / "again.png"
    assert command.main(["--draw", str(kept), "--figure", str(again)]) == 0
    assert again.read_bytes() == figure.read_bytes()
    assert (
        "| Scenarios of a sweep | planned | 1.00 | their digests | 1.00 |"
        in capsys.readouterr().out
    )
    kept.write_text("{}")
    with pytest.raises(BadInput, match="holds no growth"):
        command.main(["--draw", str(kept)])


def test_a_figure_holds_any_number_of_things_that_grow():
    line = command._line(curve(1.0))
    for count in (1, 2, 3):
        chart = growth_chart([Growing("size", line, line)] * count)
        assert to_png(chart)[0].startswith(b"\x89PNG") and "1e+04 s" in chart.alt


def test_a_largest_size_below_the_first_is_refused():
    with pytest.raises(BadInput, match="--at-most is 5; edge starts at 32"):
        command.parse(["--axes", "edge", "--at-most", "5"])
    with pytest.raises(BadInput, match=r"must end in \.png, \.pdf, \.svg"):
        command.parse(["--figure", "growth.txt"])
    with pytest.raises(BadInput, match="cannot be written"):
        command.parse(["--json", "/proc/growth.json"])
    with pytest.raises(BadInput, match="--repeats is 0"):
        command.parse(["--repeats", "0"])
