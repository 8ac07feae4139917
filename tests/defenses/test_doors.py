"""What a defense overrides acts behind every door, or its class is refused in one line."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

import defenses
from defenses import BadInput, Release, Summed
from defenses.bases.remembering import Remembering
from defenses.conformance import examine
from defenses.contract import Defense
from defenses.gradients import clipped_sum
from defenses.methods.dpsgd import DPSGD
from defenses.methods.rgp import RGP
from tests.defenses.test_contract import configured


class Rounding:
    """A mixin that is no defense."""

    def release(self, grads, **place):
        return super().release(grads, **place)


def test_a_release_that_trainers_would_pass_by_is_refused():
    with pytest.raises(
        BadInput, match="Rounded is a sum over examples and overrides release"
    ) as error:

        class Rounded(DPSGD):
            def release(self, grads, **place) -> Release:
                made = super().release(grads, **place)
                return Release({k: v.round() for k, v in made.update.items()}, made.public, 1)

    assert "\n" not in str(error.value)
    with pytest.raises(BadInput, match="overrides release"):
        type("Mixed", (Rounding, Summed), {})
    with pytest.raises(BadInput, match="overrides release"):
        type("Late", (DPSGD, defenses.Before), {"release": Rounding.release})
    assert type("Whole", (Rounding, Defense), {}).release  # trainers call it


def test_a_contribution_that_sees_only_the_sum_of_a_batch_is_refused():
    def clipped(self, grads, plan):
        return clipped_sum(grads, 1.0)

    none = type(defenses.get("none"))
    for base in (none, defenses.Before, defenses.Compression):
        with pytest.raises(BadInput, match="overrides contribute of a linear defense"):
            type("Clipped", (base,), {"contribute": clipped})
    assert not type("Clipped", (none,), {"contribute": clipped, "linear": False}).linear
    assert not type("Clipped", (Summed,), {"contribute": clipped}).linear


def test_who_says_that_clipping_is_linear_does_not_conform():
    @dataclass(frozen=True)
    class Untrue(DPSGD):
        linear = True

        def contribute(self, grads, plan):
            return clipped_sum(grads, self.clip)

    findings = {f.check: f for f in examine(Untrue(1.0, 0.0))}
    assert not findings["parts"].holds
    assert "the sum of the batch as one example" in findings["parts"].told


def test_who_says_that_factors_are_taken_and_drops_them_does_not_conform():
    @dataclass(frozen=True)
    class Untrue(DPSGD):
        factored = True

        def contribute(self, grads, plan):
            total = clipped_sum(grads, self.clip)
            return {k: v * isinstance(grads[k], type(v)) for k, v in total.items()}

    finding = next(f for f in examine(Untrue(1.0, 0.0)) if f.check == "parts")
    assert not finding.holds
    assert "gradients given by factors" in finding.told


def test_an_epsilon_that_accountants_would_pass_by_is_refused():
    def epsilon(self, *, steps, sample_rate, delta):
        return 1.0

    def noise(self):
        return 1.0

    for bases, own in (
        ((DPSGD,), {"epsilon": epsilon}),
        ((Summed,), {"epsilon": epsilon, "effective_noise": noise}),
    ):
        with pytest.raises(BadInput, match="has an epsilon beside effective_noise"):
            type("Both", bases, own)
    assert type("Own", (Summed,), {"epsilon": epsilon})


def test_what_a_base_wants_is_wanted_whichever_comes_first():
    for bases in ((Remembering, RGP), (RGP, Remembering)):
        assert type("Both", bases, {}).wants == {"memory", "moved"}
    assert type("Less", (RGP,), {"wants": frozenset({"anchors"})}).wants == {"moved", "anchors"}


@pytest.mark.parametrize("name", ["adaptive+randk+quantize", "dprs+randk", "dprs+topk"])
def test_a_chain_releases_what_its_trainer_makes(name):
    finding = next(f for f in examine(configured(name)) if f.check == "parts")
    assert finding.holds, finding
