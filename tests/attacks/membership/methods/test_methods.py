from __future__ import annotations

import dataclasses
import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy

from attacks import membership
from attacks.membership import Evidence
from attacks.membership.signals import logits as signals
from attacks.membership.signals.gaussians import Side
from attacks.membership.signals.ratios import tune
from attacks.membership.signals.shrinkage import shrunk_variance
from defenses import BadInput
from reports import detection
from reports.records import Record
from reports.records import membership as memberships
from tests.conftest import seeded

VARIANTS = [
    *((name, {}) for name in membership.names()),
    ("entropy", {"kind": "confidence"}),
    ("entropy", {"kind": "correctness"}),
    ("entropy", {"kind": "entropy"}),
    ("entropy", {"kind": "largest"}),
    ("lira", {"mode": "offline"}),
    ("lira", {"mode": "offline", "variance": "pooled"}),
    ("lira", {"queries": "joint"}),
    ("lira", {"variance": "example"}),
    ("lira", {"variance": "pooled"}),
    ("lira", {"variance": "shrunk"}),
    ("rmia", {"break_ties": False}),
    ("rmia", {"mode": "offline"}),
    ("rmia", {"mode": "offline", "a": "0.3"}),
    ("rmia", {"temperature": "1"}),
    ("shokri", {"per_class": 10}),
]
IDS = ["-".join([name, *map(str, options.values())]) for name, options in VARIANTS]
every_variant = pytest.mark.parametrize(("name", "options"), VARIANTS, ids=IDS)


def halves(pairs, count, draw):
    """Shadow models in pairs of complements, so that everyone is in half of them."""
    half = torch.rand(pairs, count, generator=draw) < 0.5
    return torch.stack([half, ~half], 1).flatten(0, 1)


def simulate(count=200, pairs=4, classes=4, gap=2.0, queries=None, seed=0):
    """Evidence whose members get ``gap`` more of the true logit, and the truth."""
    draw = seeded(seed)
    models = 2 * pairs + 1
    labels = torch.randint(classes, (count,), generator=draw)
    truth = torch.rand(count, generator=draw) < 0.5
    inside = torch.cat([truth[None], halves(pairs, count, draw)])
    others = torch.randint(classes, (count,), generator=draw)
    nobody = torch.zeros(models, count, dtype=torch.bool)

    def logits(labels, inside):
        views = queries or 1
        hard = torch.randn(count, 1, 1, generator=draw)
        found = torch.randn(models, count, views, classes, generator=draw)
        own = labels[:, None, None].expand(count, views, 1)
        found += (hard + gap * inside[..., None, None]) * nn.functional.one_hot(own[..., 0])
        return found if queries else found[:, :, 0]

    seen, away = logits(labels, inside), logits(others, nobody)
    evidence = Evidence(seen[0], labels, seen[1:], inside[1:], away[0], away[1:], others)
    return evidence, truth


def area(scores, truth):
    return detection.auc(detection.sample(scores, truth)).mean


@every_variant
class TestEveryAttack:
    def test_members_score_higher(self, name, options):
        for queries in (None, 3):
            evidence, truth = simulate(queries=queries)
            scores = membership.get(name, **options).scores(evidence)
            assert scores.shape == (200,)
            assert scores.dtype == torch.float64
            assert bool(torch.isfinite(scores).all())
            assert area(scores, truth) > 0.6

    def test_nothing_is_found_where_nothing_is(self, name, options):
        evidence, truth = simulate(count=1000, gap=0.0, seed=3)
        found = membership.evaluate(membership.get(name, **options).scores(evidence), truth)
        assert found["auc"]["low"] - 0.02 <= 0.5 <= found["auc"]["high"] + 0.02

    def test_equal_evidence_equal_scores(self, name, options):
        evidence, _ = simulate()
        first, second = (membership.get(name, **options).scores(evidence) for _ in range(2))
        assert torch.equal(first, second)

    @settings(max_examples=4, deadline=None)
    @given(seed=st.integers(0, 2**20))
    def test_order_of_shadows_and_examples_does_not_matter(self, name, options, seed):
        evidence, _ = simulate(count=60, seed=seed)
        draw = seeded(seed)
        attack = membership.get(name, **options)
        scores = attack.scores(evidence)
        models, rows = torch.randperm(8, generator=draw), torch.randperm(60, generator=draw)
        other = dataclasses.replace(
            evidence,
            shadow_logits=evidence.shadow_logits[models],
            shadow_members=evidence.shadow_members[models],
            population_shadow_logits=evidence.population_shadow_logits[models],
        )
        # Classifiers stop when they are near enough; sums in another order differ by rounding.
        near = {"rtol": 1e-3, "atol": 1e-3} if name == "shokri" else {"rtol": 1e-6, "atol": 1e-9}
        assert torch.allclose(attack.scores(other), scores, **near)
        moved = dataclasses.replace(
            evidence,
            target_logits=evidence.target_logits[rows],
            labels=evidence.labels[rows],
            shadow_logits=evidence.shadow_logits[:, rows],
            shadow_members=evidence.shadow_members[:, rows],
        )
        assert torch.allclose(attack.scores(moved), scores[rows], **near)

    def test_huge_logits_give_finite_scores(self, name, options):
        evidence, _ = simulate()
        huge = {
            f: 1e4 * getattr(evidence, f)
            for f in ("target_logits", "shadow_logits", "population_target_logits",
                      "population_shadow_logits")
        }  # fmt: skip
        scores = membership.get(name, **options).scores(dataclasses.replace(evidence, **huge))
        assert bool(torch.isfinite(scores).all())


def test_signals_equal_their_formulas():
    draw = seeded()
    logits, labels = torch.randn(5, 3, 4, generator=draw), torch.tensor([0, 1, 2, 3, 0])
    p = logits.double().softmax(-1)
    own = torch.stack([p[i, :, labels[i]] for i in range(5)])
    assert torch.allclose(signals.log_likelihood(logits, labels), own.log())
    assert torch.allclose(signals.log_odds(logits, labels), (own / (1 - own)).log())
    assert torch.allclose(signals.entropy(logits), -(p * p.log()).sum(-1))
    assert torch.allclose(signals.log_of_rest(logits), (1 - p).log())
    mixed = -(1 - own) * own.log()
    for i in range(5):
        for c in range(4):
            if c != labels[i]:
                mixed[i] -= p[i, :, c] * (1 - p[i, :, c]).log()
    assert torch.allclose(signals.modified_entropy(logits, labels), mixed)


def test_signals_stay_exact_where_probabilities_round_to_one():
    logits, right, wrong = torch.tensor([[80.0, 0.0]]), torch.tensor([0]), torch.tensor([1])
    assert signals.log_odds(logits, right).item() == pytest.approx(80)
    assert signals.log_odds(logits, wrong).item() == pytest.approx(-80)
    assert signals.log_of_rest(logits)[0, 0].item() == pytest.approx(-80)
    # All of the mass is on the wrong class: -log p_y - log(1 - p_wrong), 80 nats each.
    assert signals.modified_entropy(logits, wrong).item() == pytest.approx(160)


def gaussian_evidence(count, pairs, seed, spread=None):
    """Evidence whose phi are drawn from LiRA's own model, the truth, and the exact ratio."""
    draw = seeded(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    truth = torch.rand(count, generator=draw) < 0.5
    inside = torch.cat([truth[None], halves(pairs, count, draw)])
    outer = 2 * normal(count)
    inner = outer + 1 + normal(count).abs()
    sigma = torch.ones(count).double() if spread is None else (spread * normal(count)).exp()
    narrow = 0.4 * sigma  # members spread less, so that a mix-up of the sides shows
    noise = torch.where(inside, narrow, sigma) * normal(2 * pairs + 1, count)
    phi = torch.where(inside, inner, outer) + noise
    logits = torch.stack([phi, torch.zeros_like(phi)], -1)
    labels = torch.zeros(count, dtype=torch.int64)
    exact = ((phi[0] - outer) / sigma).square() - ((phi[0] - inner) / narrow).square()
    return Evidence(logits[0], labels, logits[1:], inside[1:]), truth, exact


@pytest.mark.parametrize("variance", ["auto", "shrunk", "pooled", "example"])
def test_lira_on_its_own_model_is_about_as_good_as_the_exact_ratio(variance):
    evidence, truth, exact = gaussian_evidence(2000, 64, seed=1)
    scores = membership.get("lira", variance=variance).scores(evidence)
    assert area(scores, truth) > area(exact, truth) - 0.01


def test_with_few_shadows_auto_is_better_than_a_variance_per_example():
    for seed in range(3):
        evidence, truth, _ = gaussian_evidence(1000, 4, seed=seed, spread=0.3)
        own, auto = (
            area(membership.get("lira", variance=v).scores(evidence), truth)
            for v in ("example", "auto")
        )
        assert auto > own + 0.01


@pytest.mark.parametrize("pairs", [2, 4, 8])
def test_student_s_t_finds_more_where_few_are_accused_wrongly(pairs):
    found: dict[str, list[float]] = {"auto": [], "shrunk": [], "pooled": []}
    for seed in range(4):
        evidence, truth, _ = gaussian_evidence(2000, pairs, seed=seed, spread=0.6)
        for variance, rates in found.items():
            scores = membership.get("lira", variance=variance).scores(evidence)
            rates.append(detection.tpr_at(detection.sample(scores, truth), 0.01).mean)
    auto, shrunk, pooled = (sum(rates) / len(rates) for rates in found.values())
    assert auto > shrunk + 0.01
    assert auto > pooled + 0.05


def test_with_many_shadows_auto_is_better_than_a_pooled_variance():
    evidence, truth, _ = gaussian_evidence(2000, 64, seed=5, spread=1.0)
    pooled, auto = (
        area(membership.get("lira", variance=v).scores(evidence), truth) for v in ("pooled", "auto")
    )
    assert auto > pooled + 0.005


def test_shrunk_variances_lie_between_own_and_pooled_and_find_what_is_true():
    draw = seeded()

    def side(sigma, models):
        noise = torch.randn(models, len(sigma), 1, generator=draw, dtype=torch.float64)
        mask = torch.ones(models, len(sigma), dtype=torch.bool)
        return Side("out", sigma[:, None] * noise, mask)

    same = side(torch.full((500,), 2.0).double(), 6)
    found, freedom = shrunk_variance(same)
    assert torch.allclose(found, torch.full_like(found, 4.0), rtol=0.25)
    assert freedom.min() > 30
    apart = torch.randn(500, generator=draw, dtype=torch.float64).exp()
    few, many = side(apart, 4), side(apart, 200)
    error = [
        (v.log() - 2 * apart.log()[:, None]).square().mean()
        for v in (shrunk_variance(few)[0], few.example_variance(), few.pooled_variance())
    ]
    assert error[0] < min(error[1:])
    assert (shrunk_variance(many)[0] / many.example_variance()).log().abs().mean() < 0.05
    alone = dataclasses.replace(few, mask=few.mask.index_fill(0, torch.tensor([1, 2, 3]), False))
    with pytest.raises(BadInput, match="two or more shadow models out"):
        shrunk_variance(alone)


@pytest.mark.parametrize("mode", ["online", "offline"])
@pytest.mark.parametrize("gamma", [1.0, 2.0])
@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_rmia_equals_loops_over_pairs(mode, gamma, temperature):
    evidence, _ = simulate(count=30, seed=2)
    a, members, shares = 0.3, evidence.shadow_members, []

    def chance(logits, label):
        return float((logits.double() / temperature).softmax(-1)[label])

    def prior(logits, label, inside):
        chances = [chance(row, label) for row in logits]
        out = [c for c, m in zip(chances, inside, strict=True) if not m]
        held = [c for c, m in zip(chances, inside, strict=True) if m]
        out = sum(out) / len(out)
        if mode == "offline":
            return ((1 + a) * out + (1 - a)) / 2
        return (out + sum(held) / len(held)) / 2 if held else out

    for n, label in enumerate(evidence.labels):
        mine = chance(evidence.target_logits[n], label)
        mine /= prior(evidence.shadow_logits[:, n], label, members[:, n])
        won = 0
        for z, other in enumerate(evidence.population_labels):
            theirs = chance(evidence.population_target_logits[z], other)
            theirs /= prior(evidence.population_shadow_logits[:, z], other, [False] * 8)
            won += mine / theirs >= gamma
        shares.append(won / len(evidence.population_labels))
    expected = torch.tensor(shares, dtype=torch.float64)
    options = {"mode": mode, "a": "0.3", "gamma": gamma, "temperature": str(temperature)}
    plain = membership.get("rmia", **options, break_ties=False).scores(evidence)
    assert torch.allclose(plain, expected)
    parted = membership.get("rmia", **options).scores(evidence)
    assert bool(((parted >= plain) & (parted < plain + 0.5 / 30)).all())
    assert len(parted.unique()) == 30


def test_rmia_counts_an_equal_as_dominated():
    evidence, _ = simulate(count=20)
    evidence = with_members(False)(evidence)
    own = {
        "population_target_logits": evidence.target_logits[4:5],
        "population_shadow_logits": evidence.shadow_logits[:, 4:5],
        "population_labels": evidence.labels[4:5],
    }
    attack = membership.get("rmia", mode="offline", a="0.5", temperature="1", break_ties=False)
    assert attack.scores(dataclasses.replace(evidence, **own))[4] == 1


@pytest.mark.parametrize("level", [0.7, 0.9])
def test_the_quantile_is_that_of_non_members(level):
    """So a score above 0 is a test at a false-positive rate of 1 - level."""
    evidence, truth = simulate(count=2000, pairs=8, gap=3.0)
    population = {f: None for f in vars(evidence) if f.startswith("population")}
    for lacking in ({}, {"population_shadow_logits": None}, population):
        known = dataclasses.replace(evidence, **lacking)
        scores = membership.get("quantile", level=level).scores(known)
        alarms = float((scores[~truth] > 0).double().mean())
        assert alarms == pytest.approx(1 - level, abs=0.045)
        assert float((scores[truth] > 0).double().mean()) > alarms + 0.3


def sharpened(evidence, by):
    """The same evidence from models whose logits are ``by`` times as large."""
    fields = [f for f in vars(evidence) if f.endswith("logits")]
    return dataclasses.replace(evidence, **{f: by * getattr(evidence, f) for f in fields})


@pytest.mark.parametrize("paired", [True, False])
def test_rmia_is_tuned_by_attacking_every_shadow_with_the_others(paired):
    evidence, _ = simulate(count=60, pairs=3, seed=4)
    members, labels = evidence.members.clone(), evidence.labels
    if not paired:
        members[:, 0] = torch.tensor([True, True, False, False, True, True])
    areas = {}
    for temperature in (1.0, 4.0):
        p = torch.stack([(s / temperature).double().softmax(-1) for s in evidence.shadow_logits])
        p = p[:, torch.arange(60), labels]
        scores, truth = [], []
        for k in range(6):
            rest = [j for j in range(6) if j != k and not (paired and j == k ^ 1)]
            for n in range(60):
                held = [float(p[j, n]) for j in rest if members[j, n]]
                out = [float(p[j, n]) for j in rest if not members[j, n]]
                scores.append(float(p[k, n]) / (sum(out) / len(out) + sum(held) / len(held)))
                truth.append(bool(members[k, n]))
        areas[temperature] = area(scores, truth)
    found = tune(evidence.shadows, members, labels, (1.0, 4.0))
    assert found == max(areas, key=areas.__getitem__)


def test_rmia_finds_the_temperature_that_undoes_overconfidence():
    evidence, truth = simulate(count=1000, pairs=4, seed=4)
    cool = membership.get("rmia", temperature="1")
    for by in (2.0, 4.0):
        sharp = sharpened(evidence, by)
        found = area(membership.get("rmia").scores(sharp), truth)
        assert found >= area(cool.scores(evidence), truth)
        assert found > area(cool.scores(sharp), truth) + 0.01


def test_rmia_falls_back_where_the_shadows_cannot_tell():
    logits, labels = torch.zeros(3, 5, 1, 2), torch.zeros(5, dtype=torch.int64)
    nobody = torch.zeros(3, 5, dtype=torch.bool)
    assert tune(logits, nobody, labels) == 2.0
    pair = torch.stack([torch.arange(5) < 2, torch.arange(5) >= 2])  # nobody is left to compare
    assert tune(logits[:2], pair, labels) == 2.0


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("calibrated", {}),
        ("lira", {"mode": "offline"}),
        ("lira", {"mode": "offline", "variance": "pooled", "queries": "joint"}),
        ("rmia", {"mode": "offline"}),
        ("rmia", {"mode": "offline", "a": "0.5", "temperature": "2"}),
        ("quantile", {}),
    ],
)
def test_offline_attacks_do_not_look_at_the_shadows_that_saw_an_example(name, options):
    evidence, _ = simulate()
    noise = torch.randn(evidence.shadow_logits.shape, generator=seeded(9))
    other = torch.where(evidence.shadow_members[..., None], noise, evidence.shadow_logits)
    attack = membership.get(name, **options)
    blind = dataclasses.replace(evidence, shadow_logits=other)
    assert torch.equal(attack.scores(blind), attack.scores(evidence))
    seen = dataclasses.replace(evidence, shadow_logits=noise)
    assert not torch.equal(attack.scores(seen), attack.scores(evidence))


def test_copies_of_a_query_change_nothing_and_more_views_help():
    evidence, _ = simulate()
    copies = dataclasses.replace(
        evidence,
        target_logits=evidence.target_logits[:, None].expand(-1, 3, -1),
        shadow_logits=evidence.shadow_logits[:, :, None].expand(-1, -1, 3, -1),
    )
    for name in ("loss", "calibrated", "lira", "rmia", "quantile"):
        attack = membership.get(name)
        assert torch.allclose(attack.scores(copies), attack.scores(evidence), rtol=1e-6)
    viewed, truth = simulate(queries=4, gap=1.0, count=500)
    first = dataclasses.replace(
        viewed,
        target_logits=viewed.target_logits[:, :1],
        shadow_logits=viewed.shadow_logits[:, :, :1],
        population_target_logits=viewed.population_target_logits[:, :1],
        population_shadow_logits=viewed.population_shadow_logits[:, :, :1],
    )
    for name, options in (("lira", {}), ("lira", {"queries": "joint"}), ("rmia", {})):
        attack = membership.get(name, **options)
        assert area(attack.scores(viewed), truth) > area(attack.scores(first), truth)


def test_attacks_that_need_less_take_less():
    evidence, truth = simulate()
    bare = Evidence(evidence.target_logits, evidence.labels)
    for name in ("loss", "entropy"):
        attack = membership.get(name)
        assert torch.equal(attack.scores(bare), attack.scores(evidence))
    parts = {"population_shadow_logits": None, "shadow_logits": None, "shadow_members": None}
    alone = dataclasses.replace(evidence, **parts)
    assert area(membership.get("quantile").scores(alone), truth) > 0.6
    parts = {f: None for f in vars(evidence) if f.startswith("population")}
    shadows = dataclasses.replace(evidence, **parts)
    assert area(membership.get("quantile").scores(shadows), truth) > 0.6


def change(**parts):
    return lambda evidence: dataclasses.replace(evidence, **parts)


def lacking(field):
    return lambda e: dataclasses.replace(e, **{field: None})


def poisoned(field):
    def make(evidence):
        values = getattr(evidence, field).clone()
        values.view(-1)[5] = math.nan
        return dataclasses.replace(evidence, **{field: values})

    return make


def cut(field, dim):
    return lambda e: dataclasses.replace(e, **{field: getattr(e, field).narrow(dim, 0, 3)})


def with_members(fill):
    """Example 4 in or out of every shadow."""

    def make(evidence):
        members = evidence.shadow_members.clone()
        members[:, 4] = fill
        return dataclasses.replace(evidence, shadow_members=members)

    return make


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (cut("labels", 0), "labels are .3,. torch.int64; they must be .200,. integers"),
        (cut("shadow_logits", 1), "shadow_logits are .8, 3, 4.; they must be .8, 200, 4."),
        (cut("shadow_logits", 2), "shadow_logits are .8, 200, 3."),
        (cut("shadow_members", 0), "shadow_members are .3, 200. .*must be .8, 200. bool"),
        (cut("population_labels", 0), "population_labels are"),
        (cut("population_target_logits", 1), "population_target_logits are"),
        (cut("population_shadow_logits", 0), "population_shadow_logits are"),
        (lacking("shadow_members"), "one of them is missing"),
        (lacking("population_labels"), "come together"),
        (poisoned("target_logits"), "target_logits hold NaN or infinity"),
        (poisoned("shadow_logits"), "shadow_logits hold NaN or infinity"),
        (poisoned("population_target_logits"), "population_target_logits hold NaN"),
        (poisoned("population_shadow_logits"), "population_shadow_logits hold NaN"),
        (change(labels=torch.full((200,), 4)), r"labels lie in \[4, 4\].* allow \[0, 3\]"),
        (change(labels=torch.zeros(200)), "they must be .200,. integers"),
        (change(target_logits=torch.zeros(200)), "must be .N, C. or .N, Q, C."),
        (change(target_logits=torch.zeros(200, 1)), "with C >= 2"),
        (change(target_logits=torch.zeros(200, 4, dtype=torch.int64)), "floating-point"),
        (change(target_logits=[[0.0, 1.0]]), "must be a tensor, not list"),
        (change(target_logits=torch.zeros(200, 2, 4)), "need .K, 200, 2, 4."),
        (change(shadow_members=torch.zeros(8, 200)), "torch.float32; they must be"),
    ],
)
def test_bad_evidence_is_told_in_one_line(make, message):
    evidence, _ = simulate()
    with pytest.raises(BadInput, match=message) as caught:
        make(evidence)
    assert "\n" not in str(caught.value)


def without(prefix):
    return lambda e: dataclasses.replace(
        e, **{f: None for f in vars(e) if f.startswith(prefix) or "shadow" in f}
    )


def one_model(evidence):
    return dataclasses.replace(
        evidence,
        shadow_logits=evidence.shadow_logits[:1],
        shadow_members=torch.zeros(1, 200, dtype=torch.bool),
        population_shadow_logits=evidence.population_shadow_logits[:1],
    )


@pytest.mark.parametrize(
    ("make", "name", "options", "message"),
    [
        (one_model, "lira", {}, "at least 2 shadow models; there are 1"),
        (one_model, "lira", {"mode": "offline"}, "at least 2 shadow models; there are 1"),
        (one_model, "rmia", {}, "example 0 is in 0 of 1"),
        (one_model, "shokri", {}, "every example is out of every shadow model"),
        (without("shadow"), "calibrated", {}, "at least 1 shadow model; there are 0"),
        (without("shadow"), "shokri", {}, "at least 1 shadow model; there are 0"),
        (without("population"), "quantile", {}, "at least 2 shadow models; there are 0"),
        (lacking("population_shadow_logits"), "rmia", {}, "needs population logits"),
        (with_members(True), "lira", {}, "out of at least 1 .* example 4 is out of 0 of 8"),
        (with_members(True), "lira", {"mode": "offline"}, "example 4 is out of 0 of 8"),
        (with_members(True), "rmia", {"mode": "offline"}, "example 4 is out of 0 of 8"),
        (with_members(True), "calibrated", {}, "example 4 is out of 0 of 8"),
        (with_members(True), "quantile", {}, "example 4 is out of 0 of 8"),
        (with_members(False), "lira", {}, "in at least 1 .* example 4 is in 0 of 8"),
        (with_members(False), "rmia", {}, "example 4 is in 0 of 8"),
        (with_members(False), "lira", {"variance": "example"}, "example 4 is in 0 of 8"),
    ],
)
def test_evidence_that_an_attack_cannot_use_is_told_in_one_line(make, name, options, message):
    evidence = make(simulate()[0])
    with pytest.raises(BadInput, match=message) as caught:
        membership.get(name, **options).scores(evidence)
    assert "\n" not in str(caught.value)


def test_offline_attacks_take_examples_that_no_shadow_saw():
    evidence = with_members(False)(simulate()[0])
    for name, options in (
        ("lira", {"mode": "offline"}),
        ("rmia", {"mode": "offline"}),
        ("calibrated", {}),
        ("quantile", {}),
    ):
        assert bool(torch.isfinite(membership.get(name, **options).scores(evidence)).all())
    single = one_model(evidence)
    for name, options in (("rmia", {"mode": "offline"}), ("calibrated", {})):
        assert len(membership.get(name, **options).scores(single)) == 200


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("lira", {"mode": "sideways"}, "mode is 'sideways'; it must be one of online, offline"),
        ("lira", {"queries": "joint", "variance": "example"}, "must not be example"),
        ("lira", {"variance": "own"}, "it must be one of auto, shrunk, pooled, example"),
        ("entropy", {"kind": "x"}, "it must be one of modified"),
        ("rmia", {"a": "1.5"}, "a is 1.5; it must be auto or a number in .0, 1."),
        ("rmia", {"a": "many"}, "a is many"),
        ("rmia", {"temperature": "0"}, r"temperature is 0; .* auto or a number in .0.01, 100."),
        ("rmia", {"temperature": "nan"}, "temperature is nan"),
        ("rmia", {"temperature": "hot"}, "temperature is hot; it must be auto or a number"),
        ("rmia", {"gamma": 0.0}, "gamma is 0; it must be > 0"),
        ("quantile", {"level": 1.0}, "level is 1"),
        ("nothing", {}, "unknown membership attack 'nothing'; known: calibrated, entropy"),
    ],
)
def test_bad_options_are_told_in_one_line(name, options, message):
    with pytest.raises(BadInput, match=message):
        membership.get(name, **options)


@pytest.mark.parametrize(
    ("scores", "members", "message"),
    [
        ([0.1, math.nan], [True, False], "score 1 is nan"),
        ([0.1, 0.2], [True, True], "of 2 examples 2 are members; both kinds"),
        ([0.1, 0.2], [False, False], "of 2 examples 0 are members"),
        ([0.1, 0.2, 0.3], [True, False], "both must be .N,."),
        ([0.1, 0.2], [2, 0], "bool, or 0 and 1"),
    ],
)
def test_scores_that_cannot_be_evaluated_are_told_in_one_line(scores, members, message):
    with pytest.raises(BadInput, match=message):
        membership.evaluate(torch.tensor(scores), torch.tensor(members))


def test_evaluate_fills_a_record_that_the_page_reads():
    evidence, truth = simulate()
    scores = membership.get("lira").scores(evidence)
    found = membership.evaluate(scores, truth)
    json.dumps(found, allow_nan=False)
    assert found["members"] + found["non_members"] == 200
    assert list(found["tpr_at"]) == ["0.1", "0.01", "0.001", "0.0001"]
    assert found["tpr_at"]["0.1"]["mean"] > 0.1
    assert found["tpr_at"]["0.0001"]["mean"] is None
    assert "at least 10,000 non-members" in found["tpr_at"]["0.0001"]["reason"]
    arrays = {"members": truth, "scores/lira": scores}
    record = Record("membership", {}, [], {"auc": {"lira": found["auc"]}}, {}, {}, {}, arrays)
    page = memberships.parse(record)
    assert page.auc("lira").mean == found["auc"]["mean"]
    assert page.tpr("lira", 0.1).mean == found["tpr_at"]["0.1"]["mean"]


@pytest.fixture(scope="module")
def overfitted():
    """Small networks that learn noisy digits by heart: evidence against one, and the truth."""
    digits, draw = load_digits(), seeded()
    order = torch.randperm(len(digits.target), generator=draw)
    images = torch.tensor(digits.data / 16, dtype=torch.float32)[order]
    labels = torch.tensor(digits.target)[order]
    wrong = torch.randint(10, labels.shape, generator=draw)
    labels = torch.where(torch.rand(labels.shape, generator=draw) < 0.2, wrong, labels)
    inside = torch.cat([torch.rand(1, 800, generator=draw) < 0.5, halves(4, 800, draw)])

    def train(seed, mask):
        first, second = nn.Linear(64, 96), nn.Linear(96, 10)
        net = nn.Sequential(first, nn.ReLU(), second)
        draw = seeded(seed)
        for layer in (first, second):
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5, generator=draw)
            nn.init.zeros_(layer.bias)
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
        x, y = images[:800][mask], labels[:800][mask]
        for _ in range(150):
            optimizer.zero_grad()
            cross_entropy(net(x), y).backward()
            optimizer.step()
        with torch.no_grad():
            return net(images)

    logits = torch.stack([train(seed, mask) for seed, mask in enumerate(inside)])
    seen, away = logits[:, :800], logits[:, 800:]
    evidence = Evidence(
        seen[0], labels[:800], seen[1:], inside[1:], away[0], away[1:], labels[800:]
    )
    return evidence, inside[0]


def test_on_overfitted_networks_lira_and_rmia_beat_the_loss(overfitted):
    evidence, truth = overfitted
    loss = area(membership.get("loss").scores(evidence), truth)
    assert loss > 0.6
    for name, options in VARIANTS:
        if name in ("lira", "rmia") and options.get("variance") != "example":
            scores = membership.get(name, **options).scores(evidence)
            assert area(scores, truth) >= loss, (name, options)
