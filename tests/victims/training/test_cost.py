"""What a training is said to cost, and that to ask leaves it as it was."""

from __future__ import annotations

import pytest
import torch

from victims.training import Training
from victims.training.cost import seconds_of
from victims.training.prepare import prepare

SMALL = Training(data="digits", model="linear", defense="dpsgd", count=64, batch_size=16, epochs=2)


@pytest.mark.parametrize(
    ("spent", "said"), [([1.0, 0.5, 0.6], 50.0), ([0.01], 1.0)], ids=["long", "quick"]
)
def test_the_quickest_step_that_was_tried_counts(spent, said, monkeypatch):
    tried = iter(spent)
    monkeypatch.setattr("victims.training.cost._try", lambda trainer: next(tried))
    assert seconds_of(prepare(SMALL).trainer, 100) == said
    assert not [*tried]


def test_a_training_that_was_asked_goes_the_way_of_one_that_was_not():
    asked, other = prepare(SMALL).trainer, prepare(SMALL).trainer
    seconds_of(asked, 10**6)
    for trainer in (asked, other):
        trainer.advance()
    for one, two in zip(asked.parameters.values(), other.parameters.values(), strict=True):
        assert torch.equal(one, two)
    assert asked.wire_bytes == other.wire_bytes


def test_nothing_is_left_at_the_end():
    trainer = prepare(SMALL).trainer
    trainer.step = trainer.plan.steps
    assert seconds_of(trainer, 0) == 0
