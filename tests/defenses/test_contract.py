from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch

import defenses
from defenses import BadInput, Side
from defenses.bases.summed import Linear
from defenses.chains.chain import Chain
from defenses.gradients import clip_factors, clipped_sum, squared_norms
from defenses.outer import Outer
from tests.conftest import SHARED_OPTIONS, configured, seeded

CHAINS = [
    "topk+quantize",
    "quantize+topk",
    "prune+sign",
    "dpsgd+quantize",
    "dprs+topk",
    "adaptive+randk+quantize",
]
ALL = [*defenses.names(), *CHAINS]
DP = [n for n in ALL if math.isfinite(configured(n).epsilon(steps=1, sample_rate=1, delta=1e-5))]


@pytest.mark.parametrize("name", ALL)
class TestEveryDefense:
    def test_release_has_the_parameters_shapes_and_states_its_public_facts(self, name, gradients):
        grads = gradients()
        release = configured(name).release(grads, generator=seeded())
        assert {k: v.shape for k, v in release.update.items()} == {
            k: g.shape[1:] for k, g in grads.items()
        }
        assert all(v.dtype == torch.float32 for v in release.update.values())
        assert release.public["batch_size"] == 3
        assert release.public["noise_std"] >= 0
        assert 0 < release.wire_bytes <= 8 * 1240

    def test_same_generator_same_release(self, name, gradients):
        first, second = (
            configured(name).release(gradients(), generator=seeded(5)).update for _ in range(2)
        )
        assert all(torch.equal(first[k], second[k]) for k in first)

    def test_replay_of_the_true_gradients_explains_the_release(self, name, gradients):
        grads = gradients()
        defense = configured(name)
        release = defense.release(grads, generator=seeded())
        explained = defense.replay(grads, release)
        # The stated noise and, where a defense rounds, what the release tells of the rounding.
        noise = defense.noise(release)
        assert noise >= release.public["noise_std"]
        for key, value in release.update.items():
            gap = value - explained[key]
            assert float(gap.square().mean().sqrt()) <= 1.2 * noise + 1e-6

    def test_replay_can_be_differentiated(self, name, gradients):
        defense = configured(name)
        release = defense.release(gradients(), generator=seeded())
        grads = {k: g.double().requires_grad_() for k, g in gradients(seed=1).items()}
        total = sum(v.square().sum() for v in defense.replay(grads, release).values())
        slopes = torch.autograd.grad(total, list(grads.values()))
        assert all(torch.isfinite(s).all() for s in slopes)
        assert any(bool(s.any()) for s in slopes)

    def test_public_facts_do_not_depend_on_the_data(self, name, gradients):
        ones, others = (
            configured(name).release(gradients(seed=s), generator=seeded()).public for s in (1, 2)
        )
        assert ones.keys() == others.keys()
        for key, value in ones.items():
            if isinstance(value, dict):
                assert value.keys() == others[key].keys()
                assert all(torch.equal(value[k], others[key][k]) for k in value)
            else:
                assert value == others[key]

    def test_divides_by_the_public_batch_size_not_the_realised_one(self, name, gradients):
        defense = configured(name, noise_multiplier=0.0)
        own = defense.release(gradients(), generator=seeded()).update
        public = defense.release(gradients(), batch_size=6, generator=seeded()).update
        # What sends no lengths, like signs, has none to divide.
        tiny = defense.release(gradients(scale=1e-6), generator=seeded()).update
        factor = 1 if all(torch.equal(own[k], tiny[k]) for k in own) else 2
        assert all(torch.allclose(own[k], factor * public[k]) for k in own)

    def test_empty_poisson_batch_releases_noise_only(self, name, gradients):
        defense = configured(name, noise_multiplier=0.0)
        release = defense.release(gradients(batch=0), batch_size=4, generator=seeded())
        assert all(not v.any() for v in release.update.values())
        with pytest.raises(BadInput, match="empty batch"):
            defense.release(gradients(batch=0), generator=seeded())

    @pytest.mark.parametrize("bad", [math.nan, math.inf])
    def test_an_example_that_is_not_finite_is_left_out(self, name, gradients, bad):
        grads = gradients()
        rest = {k: torch.cat([g[:1], g[2:]]) for k, g in grads.items()}
        grads["bias"][1, 2] = bad
        size = len(grads["bias"])
        made = configured(name).release(grads, generator=seeded())
        less = configured(name).release(rest, batch_size=size, generator=seeded())
        assert made.public["batch_size"] == size
        assert all(torch.equal(made.update[k], less.update[k]) for k in less.update)
        assert made.wire_bytes == less.wire_bytes


@pytest.mark.parametrize("name", DP)
class TestEveryPrivateDefense:
    @pytest.mark.parametrize("scale", [0.0, 1e-3, 1.0, 1e6])
    def test_no_example_moves_the_sum_by_more_than_the_clipping_norm(self, name, gradients, scale):
        batch = gradients(batch=8)
        one = gradients(batch=1, seed=9, scale=scale)
        more = {k: torch.cat([g, one[k]]) for k, g in batch.items()}
        # Aimed along the others, where clipping after averaging would be caught.
        aimed = {k: torch.cat([g, 1e6 * g.sum(0, keepdim=True)]) for k, g in batch.items()}
        whole = configured(name, noise_multiplier=0.0, clip=0.7)
        # What later stages make of a noisy release may move farther, and does not matter.
        defense = whole.first if isinstance(whole, Chain) else whole
        # gep clips a second part, at a right angle to the first.
        reach = math.hypot(0.7, getattr(defense, "residual_clip", 0.0))
        base = defense.release(batch, batch_size=8, generator=seeded(3)).update
        for neighbour in (more, aimed):
            moved = defense.release(neighbour, batch_size=8, generator=seeded(3)).update
            distance = 8 * math.sqrt(sum(float((moved[k] - base[k]).square().sum()) for k in base))
            assert distance <= reach * (1 + 1e-4)

    def test_epsilon_grows_with_steps_and_falls_with_noise(self, name):
        def spent(steps: int, noise: float) -> float:
            shield = configured(name, noise_multiplier=noise)
            return shield.epsilon(steps=steps, sample_rate=0.01, delta=1e-5)

        assert spent(10, 1.0) < spent(100, 1.0) < spent(100, 0.7)
        assert spent(1, 0.0) == math.inf


# The noise of the first two is uniform in a subspace, not over coordinates:
# tests/defenses/methods/test_lowrank.py; a chain's is what its later stages leave of the
# first one's.
@pytest.mark.parametrize("name", [n for n in DP if n not in ("gep", "rgp", *CHAINS)])
def test_noise_has_the_stated_std_on_exactly_the_kept_coordinates(name):
    grads = {"weight": torch.zeros(4, 300, 200)}
    defense = configured(name, noise_multiplier=2.0, clip=0.5)
    release = defense.release(grads, generator=seeded())
    value = release.update["weight"]
    mask = release.public.get("mask", {"weight": torch.ones_like(value).bool()})["weight"]
    stated = release.public["noise_std"]
    # Not less than the claimed multiplier needs; more where a part of the budget is for another.
    assert defense.effective_noise() * 0.5 / 4 <= stated < 1.01 * 2.0 * 0.5 / 4
    assert not value[~mask].any()
    assert bool((value[mask] != 0).all())
    kept = int(mask.sum())
    # Five standard errors of a standard deviation, and of a mean.
    assert float(value[mask].std()) == pytest.approx(stated, rel=5 / math.sqrt(2 * kept))
    assert abs(float(value[mask].mean())) < 5 * stated / math.sqrt(kept)


def test_dprs_drops_exactly_the_rate_over_all_parameters_together(gradients):
    release = configured("dprs", rate=0.9).release(gradients(), generator=seeded())
    kept = sum(int(m.sum()) for m in release.public["mask"].values())
    assert kept == 1240 - int(0.9 * 1240)
    assert release.wire_bytes == 4 * kept


def test_sparsity_buys_no_epsilon():
    setting = {"steps": 100, "sample_rate": 0.02, "delta": 1e-5}
    dense = configured("dpsgd").epsilon(**setting)
    assert configured("dprs", rate=0.99).epsilon(**setting) == dense
    alone = ["adaptive", "dprs", "dpsgd", "dptopk", "gep", "perlayer", "rgp"]
    assert [*alone, "dpsgd+quantize", "dprs+topk", "adaptive+randk+quantize"] == DP


def test_clip_leaves_short_gradients_alone_and_survives_zero():
    grads = {"w": torch.tensor([[0.3, 0.4], [3.0, 4.0], [0.0, 0.0]])}
    factors = clip_factors(grads, 1.0)
    assert factors[0] == factors[2] == 1
    assert float(factors[1]) == pytest.approx(0.2, rel=1e-6)
    assert torch.allclose(clipped_sum(grads, 1.0)["w"], torch.tensor([0.9, 1.2]))
    zero = {"w": torch.zeros(1, 2, requires_grad=True)}
    (slope,) = torch.autograd.grad(clipped_sum(zero, 1.0)["w"].sum(), zero["w"])
    assert torch.equal(slope, torch.ones(1, 2))


def lengths(like, draw):
    """Gradients whose squares a sum in float32 gets wrong: equal, skewed, of one coordinate."""
    flat = torch.randn(3, like, generator=draw)
    single = torch.zeros(1, like)
    single[0, -1] = 1e6
    return torch.cat([torch.full((1, like), 0.1), flat * (3 * flat).exp(), flat[:1] * 1e-3, single])


@pytest.mark.parametrize("size", [1, 10, 257, 3000, 300_007])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_norms_are_exact_and_clipped_gradients_are_never_too_long(size, dtype):
    grads = {"w": lengths(size, seeded()).to(dtype), "scale": torch.randn(6, generator=seeded(1))}
    grads["scale"] = grads["scale"].to(dtype)
    true = sum(g.double().reshape(6, -1).square().sum(1) for g in grads.values()).sqrt()
    found = squared_norms(grads).sqrt()
    assert float(((found - true) / true).abs().max()) < (1e-14 if dtype == torch.float64 else 4e-7)
    slopes = {k: g.clone().requires_grad_() for k, g in grads.items()}
    assert float(((squared_norms(slopes).detach().sqrt() - true) / true).abs().max()) < 4e-7
    for bound in (1e-3, 0.7, 30.0):
        for i in range(6):
            one = clipped_sum({k: g[i : i + 1] for k, g in grads.items()}, bound)
            length = sum(v.double().square().sum() for v in one.values()).sqrt()
            assert length <= bound
            slack = 0.04 if dtype == torch.bfloat16 else 1e-6
            assert length == pytest.approx(min(bound, float(true[i])), rel=slack)


def test_factors_of_a_gradient_have_its_exact_norm():
    layer = Outer(torch.full((4, 900), 0.1), torch.randn(4, 300, generator=seeded()))
    for outer in (layer, layer.apply_mask(torch.rand(900, 300, generator=seeded(1)) < 0.5)):
        true = outer.dense().double().flatten(1).norm(dim=1)
        assert torch.allclose(outer.squared_norms().sqrt(), true, rtol=2e-7, atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_adds_nothing_to_what_one_example_does(dtype):
    """Neither by a factor that it rounds up nor by rounding a sum over many."""
    long = {"w": 100 * torch.randn(1, 10_000, generator=seeded(0)).to(dtype)}
    assert float(clipped_sum(long, 1e-3)["w"].double().norm()) <= 1e-3
    grads = torch.randn(1, 50, generator=seeded(1)) + 0.3 * torch.randn(
        400, 50, generator=seeded(2)
    )
    slope, inputs = grads.to(dtype), torch.ones(400, 3, dtype=dtype)
    factored = [{"w": Outer(slope[k:], inputs[k:])} for k in (0, 1)]
    for whole, less in (({"w": slope}, {"w": slope[1:]}), factored):
        moved = clipped_sum(whole, 1.0)["w"].double() - clipped_sum(less, 1.0)["w"].double()
        assert float(moved.norm()) <= 1 + 1e-3


def test_a_clipped_sum_has_second_derivatives_where_a_block_is_zero():
    grad = torch.cat([torch.zeros(1, 256), torch.ones(1, 300)], 1).requires_grad_()
    total = clipped_sum({"w": grad}, 1.0)["w"]
    (slope,) = torch.autograd.grad(total.square().sum(), grad, create_graph=True)
    (curve,) = torch.autograd.grad(slope.square().sum(), grad)
    assert torch.isfinite(curve).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 1.0}, r"rate is 1; it must be in \[0, 1\)"),
        ({"rate": -0.1}, r"\[0, 1\)"),
        ({"rate": math.nan}, "rate"),
        ({"clip": 0.0}, "clip is 0; it must be > 0"),
        ({"noise_multiplier": -1.0}, "noise_multiplier is -1; it must be >= 0"),
        (
            {"sigma": 1.0},
            "no option 'sigma'; it has: clip, noise_multiplier, rate, cooling, refresh",
        ),
        ({"rate": "much"}, "rate must be a number"),
    ],
)
def test_options_outside_their_range_are_refused(options, message):
    with pytest.raises(BadInput, match=message):
        defenses.get("dprs", **options)


def test_unknown_names_list_the_known_ones():
    with pytest.raises(BadInput, match=f"known: {', '.join(defenses.names())}"):
        defenses.get("dpsdg")
    assert {"adaptive", "dprs", "dpsgd", "gep", "none"} <= {*defenses.names()}
    with pytest.raises(BadInput, match="cannot be imported"):
        defenses.get("no_such_module:Mine")
    assert SHARED_OPTIONS["rate"] == defenses.get("defenses.methods.dprs:DPRS", rate=0.6).rate


@pytest.mark.parametrize("name", ["dpsgd", "dprs", "perlayer", "adaptive"])
def test_factored_gradients_are_clipped_and_summed_like_whole_ones(name):
    draw = seeded()
    factors = Outer(torch.randn(6, 5, generator=draw), torch.randn(6, 7, generator=draw))
    bias = torch.randn(6, 5, generator=draw)
    shield = configured(name, clip=4.0)
    whole = {"w": factors.dense(), "b": bias}
    plan = shield.plan({k: g[0] for k, g in whole.items()}, step=0, steps=1, generator=draw)
    expected = shield.contribute(whole, plan)
    found = shield.contribute({"w": factors, "b": bias}, plan)
    assert all(torch.allclose(found[k], expected[k], atol=1e-5) for k in expected)


def test_only_the_class_that_sums_says_whether_it_takes_factors():
    class Doubled(defenses.registry.find("dpsgd")):
        def contribute(self, grads, plan):
            return {k: 2 * g.sum(0) for k, g in grads.items()}

    taking = {n for n in ALL if defenses.registry.find(n).takes_factors()}
    factored = {"adaptive", "dpsgd", "dprs", "dptopk", "perlayer"}
    assert taking == {*factored, "dpsgd+quantize", "dprs+topk", "adaptive+randk+quantize"}
    assert not Doubled.takes_factors()


def test_a_scheduled_defense_at_a_step_is_a_single_release_like_it():
    shield = configured("dprs", rate=0.8, refresh=1).informed(Side(sample_rate=0.5))
    rates = [shield.at(step, 6).rate_at(0, 1) for step in range(6)]
    assert rates == pytest.approx([0, 0, 0.4, 0.4, 0.8, 0.8])
    assert configured("dpsgd").at(3, 9) == configured("dpsgd")
    assert configured("dprs", rate=0.8).rate_at(0, 1) == 0.8  # one release: the final rate
    constant = configured("dprs", rate=0.8, cooling=False)
    assert constant.rate_at(0, 10) == 0.8


def test_the_shared_seed_alone_decides_the_mask(gradients):
    side = Side(sample_rate=0.5, mask_seed=7)
    shields = [configured("dprs").informed(side) for _ in range(2)]
    masks = [
        s.release(gradients(seed=i), step=1, steps=2, generator=seeded(i)).public["mask"]
        for i, s in enumerate(shields)
    ]
    assert all(torch.equal(masks[0][k], masks[1][k]) for k in masks[0])


@dataclass(frozen=True)
class Forgetful(Linear):
    """It promises noise and never says how much, so that none is added."""

    def effective_noise(self):
        return 2.0


def test_promised_noise_that_nobody_adds_is_refused():
    grads = {"w": torch.zeros(2, 3)}
    with pytest.raises(BadInput, match=r"effective_noise.*is 2 but.*no noise_std"):
        Forgetful().release(grads, generator=torch.Generator())
