"""The table of published accuracies holds what the runs in a folder reached."""

from __future__ import annotations

from reports import records
from tests import outcomes
from victims.reproduce.command import table
from victims.reproduce.published import ROWS


def test_finished_runs_stand_in_their_row_and_broken_ones_do_not(tmp_path):
    made = outcomes.training()
    made.bounds.update(noise_multiplier=1.5, epsilon={"rdp": 3.0, "prv": 2.5})
    records.write(made, tmp_path / f"{ROWS[0].name}-0")
    (tmp_path / f"{ROWS[0].name}-1").mkdir()
    (tmp_path / f"{ROWS[0].name}-1" / "result.json").write_text("{")
    line = next(line for line in table(tmp_path).splitlines() if ROWS[0].what in line)
    assert f"{100 * made.summary['accuracy']['mean']:.2f} (" in line
    assert "| 1.500 | 3.00 / 2.50 |" in line
