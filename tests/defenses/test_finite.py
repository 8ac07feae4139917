"""An example that is not finite gives nothing, whichever way its batch goes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from torch.func import vmap

import defenses
from defenses import Defense, Release, Side, Summed
from defenses.checks import check_finite
from defenses.conformance import examine
from defenses.contract import dense
from defenses.finite import leave_out_unfinite
from defenses.gradients import add_noise, clip_factors, clipped_sum
from defenses.methods.adaptive import SHORT
from defenses.methods.dpsgd import DPSGD
from defenses.outer import Outer
from tests.conftest import random_gradients, seeded

BAD = (math.nan, math.inf, -math.inf)


def finding(defense):
    return next(f for f in examine(defense) if f.check == "finite")


@pytest.mark.parametrize("bad", BAD)
def test_only_the_examples_that_are_not_finite_are_left_out(bad):
    grads = random_gradients(batch=4)
    assert leave_out_unfinite(grads) is grads
    rest = {k: g[[0, 3]] for k, g in grads.items()}
    grads["weight"][1].view(-1)[3] = bad
    grads["bias"][2, 1] = bad
    found = leave_out_unfinite(grads)
    assert all(torch.equal(found[k], rest[k]) for k in rest)
    huge = {"w": torch.full((3, 4), 3e38)}
    assert leave_out_unfinite(huge) is huge  # though their sum overflows
    assert leave_out_unfinite({}) == {}


@pytest.mark.parametrize("bad", BAD)
def test_factors_leave_out_what_their_products_do(bad):
    slope, inputs = torch.rand(4, 3), torch.rand(4, 5)
    slope[1, 2] = bad
    inputs[2] *= 1e30
    slope[2] *= 1e30  # each is finite, the products are not
    given = {"w": Outer(slope, inputs), "b": slope.nan_to_num(0, 0, 0)}
    products = {"w": given["w"].dense(), "b": given["b"]}
    for name in ("dpsgd", "perlayer"):
        defense = defenses.get(name)
        found, expected = defense.contribute(given, {}), defense.contribute(products, {})
        less = defense.contribute({k: g[[0, 3]] for k, g in products.items()}, {})
        for key, value in less.items():
            assert torch.equal(expected[key], value)
            assert torch.allclose(found[key], value)


@pytest.mark.parametrize("scale", [1e15, 1e19, 3e19, 1e25, 1e30])
@pytest.mark.parametrize("name", ["dpsgd", "perlayer", "adaptive"])
def test_factors_of_a_gradient_whose_square_overflows_are_left_out_as_the_gradient_is(name, scale):
    draw = seeded()
    slope, inputs = (torch.rand(3, n, generator=draw) for n in (4, 5))
    slope[1] *= scale
    outer = Outer(slope, inputs)
    defense = defenses.get(name)
    made = [defense.contribute({"w": g}, {}) for g in (outer, outer.dense())]
    for key, value in made[0].items():
        assert torch.allclose(value, made[1][key], atol=1e-5)


def test_under_vmap_an_example_that_is_not_finite_adds_zero():
    grads = {k: torch.stack([g, g]) for k, g in random_gradients(batch=3).items()}
    grads["bias"][1, 2, 0] = math.nan
    defense = defenses.get("dpsgd")
    both = vmap(lambda part: defense.contribute(part, {}))(grads)
    for i, kept in enumerate(([0, 1, 2], [0, 1])):
        alone = defense.contribute({k: g[i][kept] for k, g in grads.items()}, {})
        assert all(torch.allclose(both[k][i], alone[k]) for k in alone)


def test_what_overflows_on_its_way_to_the_clipping_adds_nothing():
    grads = random_gradients(batch=3)
    public = random_gradients(batch=8, seed=1)
    defense = defenses.get("gep", noise_multiplier=0.0).informed(Side(anchors=public))
    less = {k: g[[0, 2]] for k, g in grads.items()}
    for value in grads.values():
        value[1] = 3e38
    made, expected = (
        defense.release(g, batch_size=3, generator=seeded()).update for g in (grads, less)
    )
    assert all(torch.allclose(made[k], expected[k], atol=1e-6) for k in expected)


def test_an_example_whose_norm_is_not_a_number_has_the_factor_zero():
    grads = {"w": torch.tensor([[3.0, 4.0], [math.nan, 0.0], [math.inf, 1.0]])}
    assert clip_factors(grads, 1.0)[1:].tolist() == [0, 0]
    assert torch.allclose(clipped_sum(grads, 1.0)["w"], torch.tensor([0.6, 0.8]))


def test_a_candidate_of_an_adversary_that_is_not_finite_stays_so():
    grads = {k: g.requires_grad_() for k, g in random_gradients(batch=2).items()}
    bad = {k: g * math.nan for k, g in grads.items()}
    defense = defenses.get("dpsgd")
    release = defense.release(random_gradients(batch=2), generator=seeded())
    assert all(v.isnan().all() for v in defense.replay(bad, release).values())


def test_who_is_left_out_is_not_counted_among_the_short_gradients():
    grads = random_gradients(batch=5, scale=1e-3)
    counted = defenses.get("adaptive").contribute(grads, {})[SHORT]
    grads["bias"][0] = math.nan
    less = defenses.get("adaptive").contribute(grads, {})[SHORT]
    assert (float(counted), float(less)) == (2.5, 2.0)


@dataclass(frozen=True)
class Spoiling(DPSGD):
    """Makes NaN of its own."""

    def contribute(self, grads, plan):
        spoilt = {k: g * math.nan for k, g in grads.items()}
        return {k: g.sum(0) for k, g in spoilt.items()}


@dataclass(frozen=True)
class Patching(Summed):
    """Turns NaN into zeros coordinate by coordinate, which keeps the rest of a bad example."""

    def contribute(self, grads, plan):
        return {k: g.nan_to_num(0, 0, 0).sum(0) for k, g in grads.items()}


@dataclass(frozen=True)
class Parent(Defense):
    clip: float = 1.0
    noise_multiplier: float = 1.0

    def release(self, grads, *, step=0, steps=1, batch_size=None, generator):
        public = self.public(batch_size)
        update = {k: v / batch_size for k, v in clipped_sum(grads, self.clip).items()}
        return dense(add_noise(update, public["noise_std"], generator), public)

    def replay(self, grads, release):
        return {k: v / release.public["batch_size"] for k, v in clipped_sum(grads, 1.0).items()}

    def effective_noise(self):
        return self.noise_multiplier

    def public(self, batch_size):
        return DPSGD(self.clip, self.noise_multiplier).public(batch_size)


@dataclass(frozen=True)
class InPlace(Parent):
    """Changes what it was given, and hands the same mapping on."""

    def release(self, grads, **place):
        for value in grads.values():
            value[:1] = math.nan
        return super().release(grads, **place)


@dataclass(frozen=True)
class Refusing(Parent):
    """Stops at an example that is not finite; its checks are in front of ours."""


def refuse(self, grads, **place):
    check_finite(grads)
    return Parent.release(self, grads, **place)


Refusing.release = refuse


def test_what_a_defense_spoils_itself_is_no_examples_doing():
    grads = random_gradients(batch=3)
    with pytest.raises(defenses.BadInput, match="holds NaN"):
        Spoiling().release(grads, generator=seeded())
    made = InPlace().release(grads, generator=seeded())
    assert all(v.isfinite().all() for v in made.update.values())


def test_a_defense_that_mends_single_coordinates_leaves_the_example_out_all_the_same():
    grads = random_gradients(batch=3)
    less = {k: g[[0, 2]] for k, g in grads.items()}
    grads["bias"][1, 0] = math.nan
    found, expected = Patching().contribute(grads, {}), Patching().contribute(less, {})
    assert all(torch.equal(found[k], expected[k]) for k in expected)


def test_conformance_asks_for_the_release_without_the_example():
    assert finding(Parent()).holds and finding(Patching()).holds
    assert "is refused by release, which tells" in finding(Refusing()).told
    for name in ("dpsgd", "dprs", "adaptive", "topk", "none", "dpsgd+quantize"):
        assert finding(defenses.get(name)).holds

    @dataclass(frozen=True)
    class Leaking(Parent):
        pass

    def leak(self, grads, **place):
        made = Parent.release(self, grads, **place)
        lost = float(any(bool(g.isnan().any()) for g in grads.values()))
        return Release({k: v + lost for k, v in made.update.items()}, made.public, 1)

    Leaking.release = leak
    assert "moves release" in finding(Leaking()).told

    @dataclass(frozen=True)
    class Late(DPSGD):
        factored = True

    def contribute(self, grads, plan):  # nothing stands in front of it
        return {
            k: (g.dense() if isinstance(g, Outer) else g).nan_to_num(0, 0, 0).clamp(-1, 1).sum(0)
            for k, g in grads.items()
        }

    Late.contribute = contribute
    assert "contributions in chunks" in finding(Late()).told
