from __future__ import annotations

import dataclasses
import functools

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import victims
from attacks import invert
from attacks.invert.matching import is_explained, objective
from attacks.invert.matching.image_prior import SpectralPrior, total_variation
from defenses import BadInput
from reports.scores import assign, psnr
from tests.conftest import configured, seeded

SHORT = {"iterations": 10, "practice": 0}


def brief(name: str) -> invert.Inversion:
    fields = invert.registry.find(name).__dataclass_fields__
    return invert.get(name, **{k: v for k, v in SHORT.items() if k in fields})


EDGE = 16
"""Of the photographs, in pixels."""


@pytest.fixture(scope="module")
def lenet() -> nn.Module:
    return victims.load_model("lenet", image_shape=(3, EDGE, EDGE))


@pytest.fixture
def observe(observe):
    return functools.partial(observe, edge=EDGE)


TINY = 8
"""Of those that every attack is tried on: nothing is asked of what it finds."""


def sent(name: str, own: torch.Tensor) -> nn.Module:
    """The model `linear`, as the attack's server sends it."""
    model = victims.load_model("linear", image_shape=(3, TINY, TINY))
    return brief(name).send(model, nn.functional.adaptive_avg_pool2d(own, TINY))


@pytest.mark.parametrize("name", invert.names())
@pytest.mark.parametrize("defense", ["none", "dprs"])
def test_every_attack_gives_the_same_guess_again_and_changes_nothing(
    name, defense, observe, auxiliary
):
    model = sent(name, auxiliary.images)
    weights = [p.clone() for p in model.parameters()]
    found = []
    for adaptive in (True, True, False):
        release, threat, _, _ = observe(model, configured(defense), edge=TINY, adaptive=adaptive)
        update = {k: v.clone() for k, v in release.update.items()}
        guess = brief(name).reconstruct(model, cross_entropy, release, threat, generator=seeded())
        assert guess.images.shape == (1, 3, TINY, TINY)
        assert guess.images.dtype == torch.float32
        assert 0 <= guess.images.min() <= guess.images.max() <= 1
        assert guess.labels.shape == (1,)
        assert guess.energy == guess.energy
        assert guess.iterations >= 1
        assert guess.stopped in ("solved", "iterations", "time")
        assert all(torch.equal(update[k], release.update[k]) for k in update)
        assert all(torch.equal(a, b) for a, b in zip(weights, model.parameters(), strict=True))
        found.append(guess)
    first, second, _ = found
    assert torch.equal(first.images, second.images)
    assert first.energy == second.energy


@pytest.mark.parametrize("model", ["linear", "mlp"])
@pytest.mark.parametrize("attack", ["analytic", "auto"])
def test_a_first_linear_layer_gives_the_image_away_exactly(model, attack, observe):
    victim = victims.load_model(model, image_shape=(3, EDGE, EDGE))
    for index in range(3):
        release, threat, images, labels = observe(victim, configured("none"), first=index)
        guess = invert.get(attack).reconstruct(
            victim, cross_entropy, release, threat, generator=seeded()
        )
        assert psnr(guess.images, images).item() == 60.0
        assert guess.labels.tolist() == labels.tolist()
        assert guess.attack == "analytic"


def test_analytic_refuses_what_it_cannot_invert(observe, lenet):
    release, threat, _, _ = observe(lenet, configured("none"))
    with pytest.raises(BadInput, match="first layer is not linear"):
        invert.get("analytic").reconstruct(
            lenet, cross_entropy, release, threat, generator=seeded()
        )
    assert "one image per batch" in invert.get("analytic").refusal(
        lenet, dataclasses.replace(threat, batch_size=2)
    )


@pytest.mark.parametrize(("attack", "floor"), [("bayes", 25.0), ("dlg", 20.0), ("auto", 25.0)])
def test_an_undefended_lenet_gradient_gives_the_photograph_away(attack, floor, observe, lenet):
    release, threat, images, labels = observe(lenet, configured("none"))
    guess = dataclasses.replace(invert.get(attack), iterations=200).reconstruct(
        lenet, cross_entropy, release, threat, generator=seeded()
    )
    assert guess.labels.tolist() == labels.tolist()
    assert psnr(guess.images, images).item() > floor


def test_geiping_improves_on_its_start_and_prefers_no_truth(observe, lenet):
    release, threat, images, _ = observe(lenet, configured("none"))

    def run(steps):
        attack = invert.get("geiping", iterations=steps)
        return attack.reconstruct(lenet, cross_entropy, release, threat, generator=seeded())

    first, last = run(1), run(100)
    assert last.energy < first.energy / 2
    assert psnr(last.images, images) > psnr(first.images, images)


def test_replaying_the_mask_beats_ignoring_it(observe, lenet):
    """Rate 0.9 without noise: the naive column is no protection."""
    gains = []
    for index in (0, 1):
        scores = []
        for adaptive in (True, False):
            release, threat, images, _ = observe(
                lenet, configured("dprs", rate=0.9, noise_multiplier=0.0), index, adaptive=adaptive
            )
            guess = invert.get("bayes", iterations=60).reconstruct(
                lenet, cross_entropy, release, threat, generator=seeded()
            )
            scores.append(psnr(guess.images, images).item())
        gains.append(scores[0] - scores[1])
    assert sum(gains) / 2 >= 5


def test_practice_orders_the_plan_without_the_victims_images(observe, lenet):
    _, threat, _, _ = observe(lenet, configured("dpsgd", noise_multiplier=0.01))
    attack = invert.get("auto", iterations=60, practice=1)
    first, second = (
        attack.tuned(lenet, cross_entropy, threat, generator=seeded(2)) for _ in range(2)
    )
    assert first == second
    assert first.plan[0].name == "bayes"
    assert "prior" not in {p.name for p in first.plan}


def test_an_adversary_whom_the_noise_has_blinded_does_no_worse_than_the_prior(observe, lenet):
    shield = configured("dprs", rate=0.9, noise_multiplier=0.3)
    gain = []
    for index in range(4):
        release, threat, images, _ = observe(lenet, shield, first=index)
        if index == 0:
            attack = invert.get("auto", iterations=60).tuned(
                lenet, cross_entropy, threat, generator=seeded(2)
            )
        guess = attack.reconstruct(lenet, cross_entropy, release, threat, generator=seeded())
        blind = psnr(threat.auxiliary_images.mean(0, keepdim=True), images)
        gain.append((psnr(guess.images, images) - blind).item())
    assert sum(gain) / 4 > -1


def test_the_clock_stops_every_optimiser(observe, lenet):
    release, threat, _, _ = observe(lenet, configured("none"), seconds=0.05)
    for name in ("dlg", "bayes", "geiping", "auto"):
        attack = dataclasses.replace(invert.get(name), iterations=100_000)
        guess = attack.reconstruct(lenet, cross_entropy, release, threat, generator=seeded())
        assert guess.stopped == "time"
        assert guess.iterations < 1000


@pytest.mark.parametrize("defense", ["none", "dpsgd", "dprs", "topk", "gaussian"])
def test_labels_survive_every_defense_at_little_noise(defense, observe, lenet):
    shield = configured(defense, noise_multiplier=1e-3, rate=0.9)
    for index in range(6):
        release, threat, _, labels = observe(lenet, shield, first=index)
        found = invert.recover_labels(lenet, cross_entropy, release, threat)
        assert found.tolist() == labels.tolist()


def test_labels_of_a_batch_are_counted(observe, lenet):
    release, threat, _, labels = observe(lenet, configured("none"), batch=6)
    found = invert.recover_labels(lenet, cross_entropy, release, threat)
    assert found.tolist() == sorted(labels.tolist())
    known = dataclasses.replace(threat, labels=labels)
    assert torch.equal(invert.recover_labels(lenet, cross_entropy, release, known), labels)


def test_a_batch_is_inverted_up_to_its_order(observe, lenet):
    release, threat, images, _ = observe(lenet, configured("none"), first=1, batch=2)
    guess = invert.get("bayes", iterations=200).reconstruct(
        lenet, cross_entropy, release, threat, generator=seeded()
    )
    blind = psnr(threat.auxiliary_images.mean(0).expand_as(images), images)
    paired = guess.images[assign(guess.images, images)]
    assert bool((psnr(paired, images) > blind + 2).all())


def test_energy_prefers_the_truth_to_a_stranger(observe, auxiliary):
    lenet = victims.load_model("lenet")
    for defense in ("none", "dpsgd", "dprs"):
        shield = configured(defense, noise_multiplier=0.01)
        release, threat, images, labels = observe(lenet, shield, edge=32)
        compare = objective.residual(lenet, cross_entropy, release, threat, labels)
        prior = SpectralPrior.fit(threat.auxiliary_images)
        std = objective.noise_std(release, threat)
        truth, stranger = (
            objective.energy(compare, x.double(), prior, std)
            for x in (images, auxiliary.images[:1])
        )
        assert truth < stranger
        assert is_explained(compare, images.double(), std)


def test_spectral_prior_is_invertible_and_knows_its_images(auxiliary):
    prior = SpectralPrior.fit(auxiliary.images)
    code = torch.randn(2, 3, 32, 32, generator=seeded(), dtype=torch.float64)
    assert torch.allclose(prior.encode(prior.decode(code)), code)
    noise = torch.rand(1, 3, 32, 32, generator=seeded())
    assert prior.energy(auxiliary.images[:1]) < prior.energy(noise) / 10
    assert total_variation(auxiliary.images[:1]) < total_variation(noise)
    assert total_variation(torch.full((1, 3, 8, 8), 0.3)) < 2e-3


def test_noise_that_drowns_a_linear_layer_does_not_pass_for_a_solution():
    private = victims.load_data("digits", count=1)
    own = victims.load_data("digits", split="train", count=64)
    model = victims.load_model("mlp", image_shape=(1, 8, 8))
    shield = configured("dpsgd", noise_multiplier=1.0)
    grads = victims.per_example_gradients(model, cross_entropy, private.images, private.labels)
    release = shield.release(grads, generator=seeded())
    threat = invert.Threat(shield, True, (1, 8, 8), 10, 1, own.images, own.labels)
    attack = invert.get("auto", iterations=20).tuned(
        model, cross_entropy, threat, generator=seeded()
    )
    guess = attack.reconstruct(model, cross_entropy, release, threat, generator=seeded())
    mean = own.images.mean(0, keepdim=True)
    assert float(psnr(guess.images, private.images)) > float(psnr(mean, private.images)) - 1
