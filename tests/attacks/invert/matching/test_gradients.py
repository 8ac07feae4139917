from __future__ import annotations

import dataclasses

import pytest
import torch
from torch.nn.functional import cross_entropy

from attacks.invert.matching.gradients import candidate_gradients, contributions
from attacks.invert.matching.meter import measure
from defenses.gradients import flat
from tests.conftest import configured

LINEAR = ("none", "gaussian", "prune", "sign", "quantize", "topk", "randk")


def asked(lenet, threat, images, labels):
    with measure() as meter:
        found = contributions(lenet, cross_entropy, images, labels, threat, differentiable=True)
    return found, meter.gradients


@pytest.mark.parametrize("name", LINEAR)
def test_a_batch_whose_sum_is_all_that_counts_takes_one_pass_and_explains_the_same(
    name, observe, lenet
):
    release, threat, images, labels = observe(lenet, configured(name), batch=3)
    found, spent = asked(lenet, threat, images, labels)
    each = candidate_gradients(lenet, cross_entropy, images, labels, differentiable=False)
    assert all(len(rows) == 1 for rows in found.values())
    assert spent == 3
    together, apart = (flat(threat.defense.replay(g, release)) for g in (found, each))
    assert torch.allclose(together, apart, atol=1e-5 * float(apart.abs().max()))


@pytest.mark.parametrize(("name", "adaptive", "rows"), [("dpsgd", True, 3), ("dpsgd", False, 1)])
def test_where_each_example_is_clipped_each_has_its_own(name, adaptive, rows, observe, lenet):
    _, threat, images, labels = observe(lenet, configured(name), batch=3, adaptive=adaptive)
    assert {len(g) for g in asked(lenet, threat, images, labels)[0].values()} == {rows}


def test_a_single_example_and_a_model_that_draws_are_taken_as_ever(observe, lenet, monkeypatch):
    _, threat, images, labels = observe(lenet, configured("none"), batch=3)
    one = dataclasses.replace(threat, batch_size=1)
    alone = candidate_gradients(lenet, cross_entropy, images[:1], labels[:1], differentiable=False)
    found, _ = asked(lenet, one, images[:1], labels[:1])
    assert all(torch.equal(found[k], alone[k]) for k in alone)
    monkeypatch.setattr(lenet[1], "draws", True, raising=False)
    assert {len(g) for g in asked(lenet, threat, images, labels)[0].values()} == {3}
