"""What a study is said to cost before it starts, beside what it then costs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from torch.nn.functional import cross_entropy

import attacks
from attacks import invert
from attacks.invert.cost import evaluations
from attacks.invert.methods.auto import Auto
from attacks.invert.practice.effort import MOST
from attacks.invert.study import study
from attacks.invert.victim import Victim
from tests.conftest import configured


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


@pytest.mark.parametrize(
    ("defense", "once"), [("dpsgd", True), ("sign", True), ("dprs", False), ("prune", False)]
)
def test_what_is_learned_of_a_defense_is_foretold_where_it_is_learned(
    defense, once, observe, lenet
):
    _, threat, _, _ = observe(lenet, configured(defense))
    victim = Victim(lenet, cross_entropy, threat.defense)
    practice, each = evaluations(invert.get("lti", learn=40, iterations=7), victim, threat)
    assert practice == (threat.classes * 40 if once else 0)
    assert (each > 40) != once


def test_a_batch_is_foretold_the_effort_that_it_takes(observe, lenet):
    _, threat, _, _ = observe(lenet, configured("none"), batch=4)
    victim = Victim(lenet, cross_entropy, threat.defense)
    attack = Auto(iterations=20, exact=())
    assert 20 * MOST <= evaluations(attack, victim, threat)[1] < 20 * MOST + 10
