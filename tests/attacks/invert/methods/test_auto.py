"""A naive adversary gives a defended release a brief run; one that is nearly undefended all."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import victims
from attacks.invert.contract import Guess, Inversion
from attacks.invert.methods.auto import Auto
from attacks.invert.methods.dlg import DLG
from attacks.invert.methods.peel import Peel
from attacks.invert.methods.prior import Prior
from defenses import option
from tests.conftest import configured, seeded


@dataclass(frozen=True)
class Shown(Inversion):
    """Guesses the private image, off by a little."""

    iterations: int = option(400, "gradients", low=1)
    off: float = option(0.0, "grey levels, of 1")
    of: tuple[torch.Tensor, ...] = dataclasses.field(default=(), metadata={"hidden": True})

    def reconstruct(self, model, loss, release, threat, *, generator):
        """See `Inversion.reconstruct`."""
        images = (self.of[0] + self.off).clamp(0, 1)
        spent = threat.allowed(self.iterations)
        return Guess(images, threat.labels, 0.0, "shown", spent, "iterations")


@pytest.fixture
def spent(observe, lenet):
    """(defense, adaptive, left, off, evaluations) -> gradients that `auto` spends on an image."""

    def reconstruct(defense, adaptive=False, left=1e-3, off=0.0, evaluations=None):
        release, threat, images, labels = observe(lenet, defense, adaptive=adaptive)
        threat = dataclasses.replace(threat, labels=labels, evaluations=evaluations)
        shown = Shown(off=off, of=(images,))
        auto = Auto(iterations=100, exact=(), plan=(shown, shown), left=left)
        draw = seeded()
        return auto.reconstruct(lenet, cross_entropy, release, threat, generator=draw).iterations

    return reconstruct


NOISY = configured("gaussian", noise_multiplier=1.0)
SLIGHT = configured("gaussian", noise_multiplier=1e-3)


def test_she_gives_up_after_a_brief_run_on_what_is_no_undefended_gradient(spent):
    assert spent(NOISY) == 30


@pytest.mark.parametrize("why", [{"left": None}, {"left": 1.0}, {"evaluations": 120}])
def test_she_goes_on_where_own_releases_were_as_hard_or_evaluations_are_few(spent, why):
    assert spent(NOISY, **why) == {None: 150, 1.0: 180}.get(why.get("left", 0), 120)


def test_she_goes_on_where_the_brief_run_has_left_little(spent):
    assert spent(configured("none"), off=0.05) == 180


def test_what_the_brief_run_explains_is_enough(spent):
    assert spent(SLIGHT) == 30


def test_an_adaptive_adversary_makes_no_brief_run(spent):
    assert spent(NOISY, adaptive=True) == 100  # the first run is whole, and explains it


@pytest.mark.parametrize(("adaptive", "defense"), [(True, "none"), (False, "dpsgd")])
def test_practice_tells_what_a_brief_run_leaves_of_undefended_releases(
    adaptive, defense, observe, lenet
):
    _, threat, _, _ = observe(lenet, configured(defense), adaptive=adaptive)
    auto = Auto(iterations=30, practice=1, plan=(DLG(),))
    ready = auto.tuned(lenet, cross_entropy, threat, generator=seeded(2))
    assert 0 < ready.left < 1


def test_practice_under_a_defense_tells_nothing_of_undefended_releases(observe, lenet):
    _, threat, _, _ = observe(lenet, configured("dpsgd"))
    auto = Auto(iterations=5, practice=1, plan=(DLG(),))
    assert auto.tuned(lenet, cross_entropy, threat, generator=seeded(2)).left is None


def test_the_effort_grows_with_the_batch_and_not_beyond_what_is_allowed(observe, lenet):
    release, threat, images, labels = observe(lenet, configured("none"), batch=3)
    threat = dataclasses.replace(threat, labels=labels)
    auto = Auto(iterations=100, exact=(), plan=(Shown(of=(images,)),))
    for allowed, spent in ((None, 900), (250, 250)):
        told = dataclasses.replace(threat, evaluations=allowed)
        guess = auto.reconstruct(lenet, cross_entropy, release, told, generator=seeded())
        assert guess.iterations == spent


def normalised_top():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.GroupNorm(2, 16),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(16, 10),
        ).eval()


def test_what_is_expected_to_stop_peeling_is_practised_briefly_and_told(observe, monkeypatch):
    model, given = normalised_top(), []
    release, threat, _, _ = observe(model, configured("none"))
    reconstruct = Peel.reconstruct

    def watched(self, model, loss, release, threat, *, generator):
        given.append(threat.evaluations)
        return reconstruct(self, model, loss, release, threat, generator=generator)

    monkeypatch.setattr(Peel, "reconstruct", watched)
    auto = Auto(iterations=40, practice=1, exact=(Peel(),), plan=(DLG(), Prior()))
    ready = auto.tuned(model, cross_entropy, threat, generator=seeded(2))
    assert set(given) == {12}  # 0.3 of 40, as any optimiser
    reason = "3: group normalisation above the first weight is not passed"
    assert Peel().obstacle(model, threat) == reason
    assert ready.note in ("", f"not peeled: {reason}")
    told = dataclasses.replace(ready, exact=(), plan=(DLG(),), note=f"not peeled: {reason}")
    guess = told.reconstruct(model, cross_entropy, release, threat, generator=seeded(3))
    assert guess.note == f"not peeled: {reason}"


@pytest.mark.parametrize("name", ["resnet20-4", "convnet"])
def test_nothing_stops_a_walk_above_the_first_weight_of_these(name, observe):
    model = victims.load_model(name)
    _, threat, _, _ = observe(model, configured("none"))
    assert Peel().obstacle(model, threat) == ""


def test_what_is_tried_after_peeling_that_works_has_no_more_than_practice(observe, lenet):
    release, threat, images, labels = observe(lenet, configured("gaussian", noise_multiplier=1.0))
    threat = dataclasses.replace(threat, labels=labels, adaptive=True)
    far = Shown(off=0.3, of=(images,))
    auto = Auto(iterations=100, exact=(), plan=(far, far), peels=True)
    plain = dataclasses.replace(auto, peels=False)
    spent = [
        one.reconstruct(lenet, cross_entropy, release, threat, generator=seeded()).iterations
        for one in (auto, plain)
    ]
    assert spent[0] <= 60 < spent[1]
