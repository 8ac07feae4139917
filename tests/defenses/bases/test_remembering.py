"""Defenses that remember earlier steps, in trainings."""

from __future__ import annotations

import pytest
import torch

from defenses import BadInput
from tests.conftest import configured, seeded
from tests.defenses.updates import flat, training
from victims.training import prepare
from victims.training.state import restore, state


@pytest.mark.parametrize("name", ["randk", "adaptive", "dptopk", "dpsgd+randk"])
def test_what_is_remembered_survives_a_checkpoint_and_is_not_moved_by_looking(name):
    options = {} if name == "randk" else {"noise_multiplier": 0.5}
    first, second = (
        prepare.prepare(training(defense=name, defense_options=options)).trainer for _ in "ab"
    )
    for _ in range(4):
        first.advance()
    assert first.memory
    before = {k: v.clone() for k, v in first.memory.items()}
    first.release(first.inputs[:3], first.labels[:3], seeded())
    assert all(torch.equal(before[k], first.memory[k]) for k in before)
    restore(second, state(first))
    for _ in range(3):
        ours, theirs = first.advance(), second.advance()
    assert torch.equal(flat(ours.update), flat(theirs.update))
    assert any(not torch.equal(before[k], first.memory[k]) for k in before) or name == "dptopk"


def test_a_later_step_is_not_made_up_without_its_memory():
    assert configured("adaptive").at(0, 9) == configured("adaptive")
    assert configured("randk").at(5, 9) == configured("randk")
    for name in ("adaptive", "dptopk", "adaptive+topk"):
        with pytest.raises(BadInput, match=r"at step 5 depends on the steps before.*--observation"):
            configured(name).at(5, 9)
