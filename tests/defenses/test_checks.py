"""A defense is given what it can use, whoever wrote it and whoever calls it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch

import defenses
from defenses import BadInput, Defense, Release, Summed, checks, option
from defenses.conformance import examine
from tests.conftest import seeded

BAD = (math.nan, math.inf, -math.inf)


@dataclass(frozen=True)
class Bare(Defense):
    """The mean gradient times a factor, and not a line about what may be wrong with it."""

    factor: float = option(0.5, "how much of the mean gradient leaves")

    def release(self, grads, *, step=0, steps=1, batch_size=None, generator):
        update = {k: self.factor * g.sum(0) / batch_size for k, g in grads.items()}
        return Release(update, self.public(batch_size), 4 * sum(map(torch.numel, update.values())))

    def replay(self, grads, release):
        size = release.public["batch_size"]
        return {k: self.factor * g.sum(0) / size for k, g in grads.items()}


class Mixed:
    """A release that is not written in a defense."""

    def release(self, grads, **place):
        return super().release(grads, **place)


@dataclass(frozen=True)
class WithMixin(Mixed, Bare):
    pass


@dataclass(frozen=True)
class Bits(Summed):
    """A `Summed` defense whose finish divides by itself."""

    def contribute(self, grads, plan):
        return {k: g.sum(0) for k, g in grads.items()}

    def finish(self, total, plan, *, batch_size, generator):
        update = {k: v / batch_size for k, v in total.items()}
        return Release(update, self.public(batch_size), 1)


def batch(**changed):
    return {"w": torch.ones(3, 4, 2), "b": torch.ones(3, 4), **changed}


OWN = (Bare(), WithMixin(), Bits(), defenses.get(f"{__name__}:Bare"))


@pytest.mark.parametrize("defense", OWN, ids=lambda d: type(d).__name__)
def test_a_defense_without_a_check_of_its_own_conforms(defense):
    assert not [str(f) for f in examine(defense) if not f.holds]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("defense", OWN, ids=lambda d: type(d).__name__)
def test_an_example_that_is_not_finite_adds_nothing(defense, bad):
    grads = batch()
    grads["b"][1, 2] = bad
    made = defense.release(grads, generator=seeded())
    less = {k: g[[0, 2]] for k, g in batch().items()}
    expected = defense.release(less, batch_size=3, generator=seeded())
    assert all(torch.equal(made.update[k], v) for k, v in expected.update.items())


@pytest.mark.parametrize("defense", [*OWN, Bits(), defenses.get("topk+sign")])
@pytest.mark.parametrize(
    ("grads", "message"),
    [
        ({}, "no trainable parameter"),
        (batch(b=torch.ones(2, 4)), r"disagree on the batch size: \[2, 3\]"),
        (batch(b=torch.ones(())), "'b' has no axis of examples"),
        (batch(w=torch.ones(0, 4, 2), b=torch.ones(0, 4)), "an empty batch needs batch_size >= 1"),
    ],
)
def test_what_no_release_can_be_made_of_is_refused_in_one_line(defense, grads, message):
    with pytest.raises(BadInput, match=message) as error:
        defense.release(grads, generator=seeded())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("bad", BAD)
def test_a_sum_that_is_not_finite_is_refused_when_trainers_call_finish(bad):
    total = {"w": torch.full((4,), bad)}
    for defense in (Bits(), defenses.get("dpsgd"), defenses.get("randk")):
        with pytest.raises(BadInput, match="'w' holds NaN"):
            defense.finish(total, {}, batch_size=3, generator=seeded())
    with pytest.raises(BadInput, match="the batch size is 0"):
        Bits().finish({"w": torch.ones(4)}, {}, batch_size=0, generator=seeded())


def test_large_values_whose_sum_overflows_are_no_mistake():
    huge = {"w": torch.full((3, 4), 3e38)}
    checks.check_finite(huge)
    huge["w"][1, 1] = -math.inf
    with pytest.raises(BadInput, match="'w' holds NaN"):
        checks.check_finite(huge)
    both = torch.tensor([[math.inf], [-math.inf]])
    with pytest.raises(BadInput, match="'w' holds NaN"):
        checks.check_finite({"w": both})


@pytest.mark.parametrize("size", [2.5, True, "3"])
def test_a_batch_size_that_is_no_integer_is_refused(size):
    with pytest.raises(BadInput, match="must be an integer >= 1"):
        Bare().release({"w": torch.ones(2, 3)}, batch_size=size, generator=seeded())
