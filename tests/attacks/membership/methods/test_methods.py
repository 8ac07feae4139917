"""None"""

from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy

from attacks import membership
from attacks.membership import Evidence
from tests.attacks.membership.simulated import area, halves, simulate
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
