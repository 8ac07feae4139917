from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import defenses
import victims
from attacks.invert import Threat
from attacks.invert.fisher import CAP_DB, fisher_psnr, jacobian_trace
from attacks.invert.matching.objective import residual
from tests.conftest import SHARED_OPTIONS, seeded

SHAPE = (1, 3, 4)


@pytest.fixture
def tiny():
    """A small smooth victim, one private image and its label."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.Sigmoid(), nn.Linear(5, 3))
    return model.eval(), torch.rand(1, *SHAPE, generator=seeded()), torch.tensor([1])


def released(tiny, name, **changed):
    """A release of the image, and what its attacker knows."""
    model, images, labels = tiny
    fields = defenses.registry.find(name).__dataclass_fields__
    options = {**SHARED_OPTIONS, **changed}
    defense = defenses.get(name, **{k: v for k, v in options.items() if k in fields})
    grads = victims.per_example_gradients(model, cross_entropy, images, labels)
    if "anchors" in defense.wants:
        public = torch.rand(20, *SHAPE, generator=seeded(9)), torch.arange(20) % 3
        anchors = victims.per_example_gradients(model, cross_entropy, *public)
        defense = defense.informed(defenses.Side(anchors=anchors))
    release = defense.release(grads, generator=seeded())
    return release, Threat(defense, True, SHAPE, 3, 1, images, labels)


def ceiling(tiny, name, probes=8, adaptive=True, **changed):
    model, images, labels = tiny
    release, threat = released(tiny, name, **changed)
    threat = dataclasses.replace(threat, adaptive=adaptive)
    return fisher_psnr(
        model, cross_entropy, release, threat, images, labels, probes=probes, generator=seeded()
    )


@pytest.mark.parametrize("clip", [0.1, pytest.param(100.0, marks=pytest.mark.slow)])
@pytest.mark.parametrize("defense", ["gaussian", "dpsgd", "dprs", "gep"])
def test_the_trace_is_that_of_the_jacobian(defense, clip, tiny):
    model, images, labels = tiny
    release, threat = released(tiny, defense, clip=clip)
    compare = residual(model, cross_entropy, release, threat, labels)
    jacobian = torch.autograd.functional.jacobian(lambda x: compare(x)[0], images.double())
    exact = float(jacobian.square().sum())
    found = jacobian_trace(compare, images.double(), probes=800, generator=seeded())
    assert found == pytest.approx(exact, rel=0.1)
    # The ceiling is the formula, with the noise of the release.
    std = release.public["noise_std"]
    floor = images.numel() * std**2 / exact
    expected = min(CAP_DB, -10 * math.log10(floor))
    assert ceiling(tiny, defense, probes=800, clip=clip) == pytest.approx(expected, abs=0.45)


def test_half_the_noise_raises_the_ceiling_by_six_decibels(tiny):
    for defense in ("gaussian", "dpsgd", "dprs"):
        high, low = (ceiling(tiny, defense, noise_multiplier=s) for s in (0.05, 0.1))
        assert high - low == pytest.approx(20 * math.log10(2), abs=1e-3)


def test_dropping_coordinates_lowers_the_ceiling_unless_clipping_makes_up_for_it(tiny):
    dense, sparse = (ceiling(tiny, "dprs", rate=r, clip=100.0, probes=200) for r in (0.0, 0.8))
    assert sparse < dense - 3


def test_it_is_capped_like_the_scores_and_the_same_for_both_attackers(tiny):
    assert ceiling(tiny, "dpsgd", noise_multiplier=1e-9) == CAP_DB
    assert ceiling(tiny, "dprs") == ceiling(tiny, "dprs", adaptive=False)
    assert ceiling(tiny, "dprs") == ceiling(tiny, "dprs")


def test_an_unbiased_estimator_respects_it():
    """Linear in the image: the estimator that inverts the Jacobian is unbiased and near it."""

    class Squared(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(4, 4))

        def forward(self, x):
            return x.flatten(1) @ self.weight.T

    images, labels = torch.rand(1, 1, 2, 2, generator=seeded()), torch.zeros(1).long()
    model, std = Squared(), 0.01
    defense = defenses.get("gaussian", noise_multiplier=std)
    grads = victims.per_example_gradients(model, cross_entropy, images, labels)
    quiet = defenses.get("gaussian", noise_multiplier=0.0).release(grads, generator=seeded())
    slope = (quiet.update["weight"] @ images.flatten()) / images.square().sum()  # dW = slope x^T
    errors = []
    for turn in range(500):
        release = defense.release(grads, generator=seeded(turn))
        guess = slope @ release.update["weight"] / slope.square().sum()
        errors.append(float((guess - images.flatten()).square().mean()))
    threat = Threat(defense, True, (1, 2, 2), 4, 1, images, labels)
    top = fisher_psnr(
        model, cross_entropy, release, threat, images, labels, probes=400, generator=seeded()
    )
    assert -10 * math.log10(sum(errors) / len(errors)) == pytest.approx(top, abs=0.5)


def test_there_is_none_without_noise_or_slope_or_for_batches(tiny):
    assert ceiling(tiny, "none") is None
    assert ceiling(tiny, "topk") is None
    assert ceiling(tiny, "dprs", noise_multiplier=0.0) is None
    model, images, labels = tiny
    release, threat = released(tiny, "dpsgd")

    def found(release, threat):
        return fisher_psnr(
            model, cross_entropy, release, threat, images, labels, generator=seeded()
        )

    assert found(release, threat) is not None
    assert found(release, dataclasses.replace(threat, batch_size=2)) is None

    class Opaque(type(threat.defense)):
        def replay(self, grads, release):
            return {k: v.detach() for k, v in super().replay(grads, release).items()}

    class Steps(type(threat.defense)):
        def replay(self, grads, release):
            return {k: v.sign() for k, v in super().replay(grads, release).items()}

    for unfit in (Opaque(noise_multiplier=0.5), Steps(noise_multiplier=0.5)):
        assert found(release, dataclasses.replace(threat, defense=unfit)) is None


def test_every_defense_is_taken(tiny):
    for name in defenses.names():
        value = ceiling(tiny, name)
        assert value is None or value <= CAP_DB
    assert ceiling(tiny, "rgp", rank=1, rate=0.6) is None
    assert ceiling(tiny, "rgp", rank=1, rate=0.0) is not None
