from __future__ import annotations

from reports.charts.lines import lines_along
from tests import outcomes
from tests.outcomes import panels_of


def test_lines_differ_in_one_option_alone(tmp_path):
    outcomes.sweep(tmp_path)
    (panel,) = panels_of(tmp_path)
    lines, left = lines_along(panel.settings, "rate")
    assert left == 0
    assert [line.label for line in lines] == ["noise 0", "noise 0.01", "noise 0.1"]
    assert [[s.option("rate") for s in line.settings] for line in lines] == [[0.0, 0.9]] * 3
    assert lines_along(panel.settings[:1], "rate") == ([], 0)
