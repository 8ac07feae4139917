"""Published trainings."""

from __future__ import annotations

import dataclasses
import shlex

import pytest

from victims.reproduce.published import ROWS
from victims.train import command_line, parse
from victims.training.plan import make_plan


@pytest.mark.parametrize("row", [r.name for r in ROWS])
def test_every_published_row_can_be_planned_and_its_command_parsed(row):
    training = next(r.training for r in ROWS if r.name == row)
    if row != ROWS[0].name:  # the costly accountant's search is the same for each
        training = dataclasses.replace(training, accountant="rdp")
    made = make_plan(training, 50_000 if training.data == "cifar10" else 60_000)
    if training.epsilon:
        assert made.epsilon(made.steps) == pytest.approx(training.epsilon, rel=2e-3)
    words = shlex.split(command_line(training))[3:]
    parsed = parse(words)
    assert parsed.lr == training.lr
    assert parsed.batch_size == training.batch_size
    assert getattr(parsed, "defense.clip") == training.defense_options["clip"]
