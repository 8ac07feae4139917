"""RMIA against loops over pairs, and how its temperature is chosen."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from attacks import membership
from attacks.membership.signals.ratios import tune
from tests.attacks.membership.simulated import area, simulate, with_members


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
