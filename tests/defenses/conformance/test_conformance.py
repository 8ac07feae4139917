"""Correct defenses and training loops pass every structural check, which mean what they say."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import nn

import defenses
import victims.conformance
from defenses.conformance import CHECKS, Check, examine
from defenses.conformance.directions import along
from defenses.conformance.limits import CHANCE, least_rms, most_rms, t_statistic
from defenses.conformance.subject import Subject
from defenses.contract import dense
from defenses.gradients import clipped_sum
from defenses.methods.dpsgd import DPSGD
from defenses.privacy.tradeoff import epsilon_of
from tests.conftest import configured, seeded
from tests.zoo.specimen import TRAINING, builder, mlp, private
from victims.conformance.sampling import judge
from victims.training.sampling import poisson_batch, shuffled_batch

BY_NAME = {c.name: c for c in CHECKS}
LOOPS = {c.name: c for c in victims.conformance.CHECKS}
CORRECT = {
    **{n: configured(n) for n in defenses.names()},
    "dprs at 0.5": configured("dprs", rate=0.5),
    "dprs at 0.9": configured("dprs", rate=0.9),
    "dprs without cooling": configured("dprs", rate=0.9, cooling=False),
    "gep as published": defenses.get("gep", noise_multiplier=0.5),
}


def broken(findings):
    return [str(f) for f in findings if not f.holds]


@pytest.mark.parametrize("name", CORRECT)
def test_correct_defenses_pass(name):
    assert not broken(examine(CORRECT[name]))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("name", CORRECT)
def test_correct_defenses_pass_whatever_the_seed(name, seed):
    assert not broken(examine(CORRECT[name], seed=seed))


PLAIN = {
    "dpsgd": {},
    "dprs": {"defense": "dprs", "defense_options": {"noise_multiplier": 0.5, "rate": 0.9}},
    "gep": {"defense": "gep", "defense_options": {"noise_multiplier": 0.5}},
    "rgp": {"defense": "rgp", "defense_options": {"noise_multiplier": 0.5, "rank": 2}},
    "gaussian": {"defense": "gaussian", "defense_options": {}},
    "adaptive": {"defense": "adaptive", "defense_options": {"noise_multiplier": 0.5}},
    "views": {"views": 4},
    "adam": {"optimizer": "adam", "schedule": "cosine", "average": 0.9, "weight_decay": 0.1},
}


@pytest.mark.parametrize("name", PLAIN)
def test_the_trainer_passes(name):
    build = builder(**PLAIN[name])
    assert not broken(victims.conformance.examine(build, *private()))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("name", PLAIN)
def test_the_trainer_passes_whatever_the_seed(name, seed):
    build = builder(**PLAIN[name], seed=seed)
    assert not broken(victims.conformance.examine(build, *private(seed=seed), seed=seed))


def test_a_full_batch_and_dropout_are_no_findings():
    full = builder(batch_size=32, net=lambda: nn.Sequential(*mlp()[:3], nn.Dropout(0.5), mlp()[3]))
    assert not broken(victims.conformance.examine(full, *private()))


def test_the_trainers_own_shuffling_is_told_from_poisson_sampling():
    finding = LOOPS["sampling"](builder(sampling="shuffle"), *private())
    assert not finding.holds
    assert "vary 0 times as much as a binomial's" in finding.told


def test_a_rate_planned_from_the_private_number_of_examples_is_told():
    def build(inputs, labels):
        made = builder()(inputs, labels)
        rate = TRAINING.batch_size / len(inputs)
        made.plan = dataclasses.replace(made.plan, sample_rate=rate)
        return made

    finding = LOOPS["sizes"](build, *private())
    assert not finding.holds
    assert finding.told.startswith("the sample rate tells the number of examples")


def test_what_claims_nothing_passes_and_is_told_so():
    for name in ("none", "gaussian", "topk"):
        findings = {f.check: f for f in examine(CORRECT[name])}
        for check in ("support", "sensitivity", "epsilon"):
            assert findings[check].holds
            assert "claims no epsilon" in findings[check].told
    told = LOOPS["neighbours"](builder(**PLAIN["gaussian"]), *private()).told
    assert "claims no epsilon" in told


@dataclasses.dataclass(frozen=True)
class Crashing(DPSGD):
    def finish(self, total, plan, *, batch_size, generator):
        raise RuntimeError("no such\nlayer")


@dataclasses.dataclass(frozen=True)
class Overclaiming(DPSGD):
    pass


def half_of_it(self, *, steps, sample_rate, delta):
    return 0.5 * DPSGD.epsilon(self, steps=steps, sample_rate=sample_rate, delta=delta)


# A class that is made with an epsilon beside its noise is refused (tests/defenses/test_doors.py).
Overclaiming.epsilon = half_of_it


@dataclasses.dataclass(frozen=True)
class Secretive(DPSGD):
    """Public facts that count the batch."""

    def contribute(self, grads, plan):
        found = super().contribute(grads, plan)
        return found | {"examples": torch.tensor(float(len(next(iter(grads.values())))))}

    def finish(self, total, plan, *, batch_size, generator):
        known = {k: v for k, v in total.items() if k != "examples"}
        made = super().finish(known, plan, batch_size=batch_size, generator=generator)
        return dataclasses.replace(
            made, public=made.public | {"examples": int(total.get("examples", 0))}
        )


@dataclasses.dataclass(frozen=True)
class Sequential(DPSGD):
    """Noise between neighbouring columns that cancels half of itself."""

    def finish(self, total, plan, *, batch_size, generator):
        made = super().finish(total, plan, batch_size=batch_size, generator=generator)
        update = dict(made.update)
        noise = torch.randn(update["bias"].shape, generator=generator)
        uniform = (torch.rand(noise.shape, generator=generator) - 0.5) * math.sqrt(12)
        size = made.public["noise_std"]
        update["bias"] = total["bias"] / batch_size + size * uniform
        return dense(update, made.public)


@dataclasses.dataclass(frozen=True)
class Random(DPSGD):
    """Noise that no generator decides."""

    def finish(self, total, plan, *, batch_size, generator):
        return super().finish(
            total,
            plan,
            batch_size=batch_size,
            generator=torch.Generator().manual_seed(torch.seed()),
        )


@pytest.mark.parametrize(
    ("kind", "check", "told"),
    [
        (Crashing, "shapes", "raised RuntimeError: no such layer"),
        (Overclaiming, "epsilon", "after 1 full batches; a multiplier of 0.5 allows no less than"),
        (Secretive, "public", "public examples depends on the data"),
        (Random, "determinism", "differs between equal generators"),
    ],
)
def test_what_else_a_check_finds(kind, check, told):
    finding = BY_NAME[check](kind(clip=1.0, noise_multiplier=0.5))
    assert not finding.holds
    assert told in finding.told
    assert "\n" not in str(finding)


@dataclasses.dataclass(frozen=True)
class Longer(DPSGD):
    """Clips to a norm that is longer than it says by a share."""

    excess: float = 0.0

    def contribute(self, grads, plan):
        return clipped_sum(grads, self.clip * (1 + self.excess))


@dataclasses.dataclass(frozen=True)
class Rough(DPSGD):
    """Norms by a float32 product, whose rounding errors add up."""

    def contribute(self, grads, plan):
        rows = [g.flatten(1) for g in grads.values()]
        square = sum((r[:, None] @ r[:, :, None])[:, 0, 0] for r in rows)
        factors = self.clip / square.clamp(min=self.clip**2).sqrt()
        return {k: torch.tensordot(factors, g, 1) for k, g in grads.items()}


@pytest.mark.parametrize("noise", [0.5, 4.0])
def test_a_movement_that_is_a_millionth_too_long_is_seen(noise):
    check = BY_NAME["sensitivity"]
    assert check(Longer(1.0, noise)).holds
    for excess in (2e-6, 1e-3):
        finding = check(Longer(1.0, noise, excess))
        assert not finding.holds
        assert "too far; limit 1e-06" in finding.told


def test_norms_of_a_float32_product_are_seen():
    finding = BY_NAME["sensitivity"](Rough(1.0, 0.5))
    assert not finding.holds
    assert "too far; limit 1e-06" in finding.told


@pytest.mark.parametrize("name", ["dpsgd+topk", "dpsgd+quantize", "adaptive+randk+quantize"])
def test_of_a_chain_the_stage_with_the_guarantee_is_held_to_it(name):
    chain = configured(name)
    assert BY_NAME["sensitivity"](chain).told == BY_NAME["sensitivity"](chain.first).told


def test_uniform_noise_is_not_normal():
    finding = BY_NAME["calibration"](
        Sequential(clip=1.0, noise_multiplier=0.5),
        like={"bias": torch.zeros(2000), "weight": torch.zeros(3, 2)},
    )
    assert not finding.holds
    assert "the noise is not normal" in finding.told


def test_noise_in_a_subspace_is_measured_where_data_goes():
    """Correlated noise that is large along all but one direction, and small along that."""

    @dataclasses.dataclass(frozen=True)
    class Tilted(DPSGD):
        def finish(self, total, plan, *, batch_size, generator):
            made = super().finish(total, plan, batch_size=batch_size, generator=generator)
            flat = made.update["weight"].flatten() - total["weight"].flatten() / batch_size
            way = torch.ones_like(flat) / math.sqrt(len(flat))
            less = flat - 0.9 * (flat @ way) * way
            update = total["weight"] / batch_size + less.view_as(total["weight"])
            return dense({"weight": update}, made.public)

    subject = Subject(Tilted(clip=1.0, noise_multiplier=0.5), {"weight": torch.zeros(20, 10)})
    grads = subject.batch()
    for direction, share in ((torch.ones(1, 20, 10), 0.1), (torch.eye(20, 10)[None], 0.95)):
        seen = along(subject, grads, {"weight": 1e6 * direction}, lambda moved: 0.5 * moved)
        assert seen.noise == pytest.approx(share * 0.5 / 8, rel=4 / math.sqrt(2 * seen.draws))
        assert seen.lacking == (share < 0.5)


def test_the_exact_epsilon_of_gaussian_differential_privacy():
    for mu in (0.3, 1.0, 3.0):
        epsilon = epsilon_of(mu, 1e-5)
        # The probability that the loss exceeds epsilon, less what epsilon pays for, by integration.
        x = torch.linspace(-12, 15, 400_001, dtype=torch.float64)
        base, moved = (torch.exp(-((x - m) ** 2) / 2) / math.sqrt(2 * math.pi) for m in (0.0, mu))
        delta = torch.trapezoid((moved - math.exp(epsilon) * base).clamp(min=0), x)
        assert float(delta) == pytest.approx(1e-5, rel=1e-3)
    assert epsilon_of(1e-7, 0.5) == 0


def test_limits_are_where_chance_ends():
    assert least_rms(1000) == pytest.approx(1 - 5.2 / math.sqrt(2000), abs=0.01)
    assert most_rms(1000) == pytest.approx(1 + 5.2 / math.sqrt(2000), abs=0.01)
    assert CHANCE == 1e-7
    assert t_statistic(torch.ones(5)) == math.inf
    assert t_statistic(torch.zeros(5)) == 0


@pytest.mark.parametrize("rate", [0.02, 0.25, 0.9])
def test_poisson_ledgers_are_believed_and_shuffled_ones_are_not(rate):
    examples, steps = 50, 300
    for seed in range(30):
        draw = seeded(seed)
        ledger = torch.zeros(steps, examples)
        for row in ledger:
            row[poisson_batch(examples, rate, draw)] = 1
        holds, told = judge(ledger, rate)
        assert holds, told
    for step, row in enumerate(ledger):
        row.zero_()
        row[shuffled_batch(examples, int(rate * examples), step, seeded)] = 1
    assert not judge(ledger, rate)[0]


def test_a_check_is_a_function_of_the_defense():
    check = Check(lambda subject: (subject.claims, "one\n  line"))
    assert str(check(configured("dpsgd"), seed=3)) == "holds  <lambda>: one line"
