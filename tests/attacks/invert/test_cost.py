"""What a study is said to cost before it starts, beside what it then costs."""

from __future__ import annotations

from dataclasses import replace

import attacks
from attacks.invert.study import study


class Watcher:
    """Keeps what it is told to expect."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, line: str, done: int, total: int) -> None:
        """See `reports.commands.progress.Report`."""

    def expect(self, seconds: float) -> None:
        self.seconds.append(seconds)


def test_evaluations_are_foretold_within_a_factor_of_two(monkeypatch):
    monkeypatch.setattr("attacks.invert.cost.seconds_of_evaluation", lambda victim, shape: 1.0)
    monkeypatch.setattr("attacks.invert.cost.AROUND", 1.0)
    scenario = attacks.Scenario(
        data="digits",
        model="mlp",
        images=1,
        defense="dpsgd",
        defense_options={"noise_multiplier": 0.0},
        against=(),
        attack_options={"iterations": 10},
        candidates=1,
    )
    watcher = Watcher()
    rows = study(scenario, report=watcher).rows
    spent = sum(row["evaluations"] + row["practice"] for row in rows)
    assert len(watcher.seconds) == 1
    assert 0.5 < watcher.seconds[0] / spent < 2


def test_nothing_is_tried_for_whoever_is_not_watching(monkeypatch):
    def tried(*given):
        raise AssertionError("an evaluation was timed")

    monkeypatch.setattr("attacks.invert.study.seconds_of", tried)
    scenario = attacks.Scenario(data="digits", model="linear", images=1, against=())
    assert study(replace(scenario, defense="none", candidates=1)).rows
