"""Evidence that cannot be used is refused in one line."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from attacks import membership
from defenses import BadInput
from tests.attacks.membership.simulated import lacking, simulate, with_members


def change(**parts):
    return lambda evidence: dataclasses.replace(evidence, **parts)


def poisoned(field):
    def make(evidence):
        values = getattr(evidence, field).clone()
        values.view(-1)[5] = math.nan
        return dataclasses.replace(evidence, **{field: values})

    return make


def cut(field, dim):
    return lambda e: dataclasses.replace(e, **{field: getattr(e, field).narrow(dim, 0, 3)})


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
