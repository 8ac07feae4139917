"""Attack peel on releases with a mask, clipping or noise."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import defenses
import victims
from attacks import invert
from attacks.invert.matching.meter import measure
from attacks.invert.peeling import masked, scale
from attacks.invert.peeling.blind import Opened
from attacks.invert.peeling.readable import is_noisy
from reports.scores import psnr
from tests.conftest import seeded
from victims.models.normalise import Normalise

SHAPE = (3, 8, 8)


def smooth(count, seed):
    draw = torch.rand(count, 3, 3, 3, generator=seeded(seed))
    return torch.nn.functional.interpolate(draw, (8, 8), mode="bilinear", align_corners=True)


OWN = smooth(96, 1)
PRIVATE = smooth(1, 2)


def convolutions():
    yield nn.Conv2d(3, 24, 4, stride=2, padding=1)
    yield nn.ReLU()
    yield nn.Conv2d(24, 48, 3, padding=1)
    yield nn.ReLU()


def averaged():
    yield from convolutions()
    yield from (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 6))


def pooled():
    yield from convolutions()
    yield from (nn.MaxPool2d(2), nn.Flatten(), nn.Linear(192, 6))


def dense():
    yield from (nn.Flatten(), nn.Linear(192, 64), nn.ReLU(), nn.Linear(64, 6))


def shifted():
    yield Normalise((0.2, 0.1, 0.1), (0.8, 0.8, 0.8))
    yield from averaged()


def build(layers):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return nn.Sequential(*layers()).eval()


def attack(model, name, label=2, iterations=60, **options):
    defense = defenses.get(name, **options)
    labels = torch.tensor([label])
    grads = victims.per_example_gradients(model, cross_entropy, PRIVATE, labels)
    release = defense.release(grads, generator=seeded(5))
    threat = invert.Threat(defense, True, SHAPE, 6, 1, OWN, torch.arange(96) % 6)
    peel = invert.get("peel", iterations=iterations)
    peel = peel.tuned(model, cross_entropy, threat, generator=seeded(6))
    return peel.reconstruct(model, cross_entropy, release, threat, generator=seeded(7))


def closeness(guess):
    return float(psnr(guess.images, PRIVATE))


MASKED = {"noise_multiplier": 0.0, "cooling": False, "clip": 1e6}
GUESSED = float(psnr(OWN.mean(0, keepdim=True), PRIVATE))


@pytest.mark.parametrize(("layers", "rate"), [(averaged, 0.4), (pooled, 0.4), (dense, 0.4)])
def test_a_masked_gradient_still_gives_the_image_exactly(layers, rate):
    guess = attack(build(layers), "dprs", rate=rate, **MASKED)
    assert (guess.stopped, guess.note) == ("solved", "")
    assert closeness(guess) > 55
    assert guess.labels.tolist() == [2]


def test_clipping_beside_a_mask_costs_nothing():
    guess = attack(build(averaged), "dprs", rate=0.4, **{**MASKED, "clip": 0.01})
    assert closeness(guess) > 55


def without_bias(layers, rate, clip):
    """The attack on a clipped gradient under a mask that shows no entry of the last bias."""
    model, labels = build(layers), torch.tensor([2])
    defense = defenses.get("dprs", rate=rate, **{**MASKED, "clip": clip})
    grads = victims.per_example_gradients(model, cross_entropy, PRIVATE, labels)
    release = defense.release(grads, generator=seeded(5))
    last = [name for name in release.update if name.endswith("bias")][-1]
    release.update[last].zero_()
    release.public["mask"][last].zero_()
    threat = invert.Threat(defense, True, SHAPE, 6, 1, OWN, torch.arange(96) % 6)
    peel = invert.get("peel", iterations=60)
    return peel.reconstruct(model, cross_entropy, release, threat, generator=seeded(7))


@pytest.mark.parametrize("layers", [averaged, dense, shifted])
@pytest.mark.parametrize("clip", [1e6, 1.0, 1e-4])
def test_without_an_entry_of_the_last_bias_softmax_tells_the_length(layers, clip):
    guess = without_bias(layers, 0.4, clip)
    assert (guess.stopped, guess.note) == ("solved", "")
    assert closeness(guess) > 50


def test_a_length_that_nothing_tells_is_not_called_solved(monkeypatch):
    monkeypatch.setattr(scale, "find_length", lambda *given: None)
    monkeypatch.setattr(masked, "likely_length", lambda factors, fed: factors)
    guess = without_bias(dense, 0.4, 0.01)
    assert closeness(guess) < 30
    assert guess.stopped == "iterations"
    assert "last bias" in guess.note


def test_other_masks_with_a_known_support_are_as_good():
    assert closeness(attack(build(averaged), "randk", rate=0.4)) > 55


def test_channels_that_the_largest_coordinates_leave_out_are_not_needed():
    guess = attack(build(averaged), "topk", rate=0.4)
    assert closeness(guess) > GUESSED + 25


def test_past_the_cliff_the_latent_image_is_what_is_left():
    guess = attack(build(averaged), "dprs", rate=0.9, **MASKED)
    assert guess.stopped == "iterations"
    assert "equations for" in guess.note
    assert closeness(guess) > GUESSED + 3


def test_under_a_little_noise_the_image_stays_near():
    guess = attack(build(averaged), "dpsgd", clip=1.0, noise_multiplier=1e-5)
    assert closeness(guess) > GUESSED + 10


def test_the_same_release_gives_the_same_image():
    first, second = (attack(build(averaged), "dprs", rate=0.5, **MASKED).images for _ in range(2))
    assert torch.equal(first, second)


def test_only_who_knows_the_defense_is_told_that_there_is_noise():
    model, labels = build(averaged), torch.tensor([2])
    defense = defenses.get("dpsgd", noise_multiplier=0.1)
    grads = victims.per_example_gradients(model, cross_entropy, PRIVATE, labels)
    release = defense.release(grads, generator=seeded(5))
    told = [
        is_noisy(release, invert.Threat(defense, adaptive, SHAPE, 6, 1, OWN, torch.arange(96) % 6))
        for adaptive in (True, False)
    ]
    assert told == [True, False]


def normalised():
    """GroupNorm below what is not told, pooling whose windows overlap, and tanh."""
    yield nn.Conv2d(3, 16, 5, stride=2, padding=2)
    yield from (nn.GroupNorm(2, 16), nn.ReLU(), nn.MaxPool2d(3, 1, 1))
    yield nn.Conv2d(16, 48, 3, padding=1)
    yield from (nn.GroupNorm(4, 48), nn.Tanh(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
    yield nn.Linear(192, 6)


@pytest.mark.parametrize("clip", [None, 0.01])
def test_layers_without_a_rule_above_a_convolution_that_tells_its_input_do_not_matter(clip):
    options = ("none", {}) if clip is None else ("dpsgd", {"clip": clip, "noise_multiplier": 0.0})
    guess = attack(build(normalised), options[0], iterations=200, **options[1])
    assert closeness(guess) > GUESSED + 15
    assert guess.note == "4: 5: what group normalisation was fed is not told"


@pytest.mark.parametrize("allowed", [1, 9, 40, 150])
@pytest.mark.parametrize("noise", [0.0, 1e-4])
def test_all_stages_are_counted_and_stay_within_what_is_allowed(allowed, noise):
    model = build(averaged)
    defense = defenses.get("dprs", rate=0.4, **{**MASKED, "noise_multiplier": noise})
    labels = torch.tensor([2])
    grads = victims.per_example_gradients(model, cross_entropy, PRIVATE, labels)
    release = defense.release(grads, generator=seeded(5))
    threat = invert.Threat(defense, True, SHAPE, 6, 1, OWN, torch.arange(96) % 6)
    with measure() as practice:
        peel = invert.get("peel").tuned(model, cross_entropy, threat, generator=seeded(6))
    assert practice.gradients >= 2 * len(OWN)  # each image and its mirror image is looked at
    few = dataclasses.replace(threat, evaluations=allowed)
    with measure() as meter:
        guess = peel.reconstruct(model, cross_entropy, release, few, generator=seeded(7))
    assert 1 <= guess.iterations <= allowed
    assert meter.gradients >= guess.iterations
    with measure() as meter:
        whole = peel.reconstruct(model, cross_entropy, release, threat, generator=seeded(7))
    assert whole.iterations > 30  # the stages of the top step are among them
    assert meter.gradients >= whole.iterations


def test_auto_gives_peel_no_more_than_any_other_attack_of_its_plan(monkeypatch):
    model = build(averaged)
    defense = defenses.get("dprs", rate=0.4, **{**MASKED, "noise_multiplier": 1e-4})
    threat = invert.Threat(defense, True, SHAPE, 6, 1, OWN, torch.arange(96) % 6)
    seen = []
    reconstruct = type(invert.get("peel")).reconstruct

    def watched(self, model, loss, release, threat, *, generator):
        guess = reconstruct(self, model, loss, release, threat, generator=generator)
        seen.append((threat.evaluations, guess.iterations))
        return guess

    monkeypatch.setattr(type(invert.get("peel")), "reconstruct", watched)
    peel = invert.get("peel")
    auto = invert.get("auto", iterations=40, practice=1)
    auto = dataclasses.replace(auto, exact=(peel,), plan=(invert.get("prior"),))
    ready = auto.tuned(model, cross_entropy, threat, generator=seeded(6))
    assert [given for given, _ in seen] == [12]  # ranked under noise: 0.3 of 40
    labels = torch.tensor([2])
    grads = victims.per_example_gradients(model, cross_entropy, PRIVATE, labels)
    release = defense.release(grads, generator=seeded(5))
    ready = dataclasses.replace(ready, exact=(), plan=(peel, peel))
    ready.reconstruct(model, cross_entropy, release, threat, generator=seeded(7))
    assert [given for given, _ in seen[1:]] == [40, 20][: len(seen) - 1]
    assert all(spent <= given for given, spent in seen)


def four(layers):
    """A batch of four, with more places than the top convolution has channels."""
    model, images, labels = build(layers), smooth(4, 3), torch.tensor([0, 1, 3, 5])
    grads = victims.per_example_gradients(model, cross_entropy, images, labels)
    defense = defenses.get("none")
    release = defense.release(grads, generator=seeded(5))
    threat = invert.Threat(defense, True, SHAPE, 6, 4, OWN, torch.arange(96) % 6)
    peel = invert.get("peel", iterations=60)
    with measure() as meter:
        guess = peel.reconstruct(model, cross_entropy, release, threat, generator=seeded(7))
    assert guess.labels.tolist() == labels.tolist()
    return guess, psnr(guess.images, images), meter.gradients


def test_a_batch_that_no_row_space_takes_apart_is_by_its_slopes_at_the_logits():
    guess, found, spent = four(averaged)
    assert bool((found > 33).all())
    # Rounding decides whether the convolution tells its input, or is matched to what it tells.
    assert guess.stopped == "solved" or guess.note.startswith("0: ")
    assert spent >= 4 * guess.iterations


def test_where_that_fails_a_batch_is_matched_by_its_last_features(monkeypatch):
    told = Opened(torch.zeros(4, 24, 4, 4), torch.zeros(4, 48, 4, 4), 1.0, "for a test")
    monkeypatch.setattr(masked.MaskedTop, "__call__", lambda *given: told)
    guess, found, _ = four(averaged)
    assert guess.note == "2: 48 channels do not tell 64 places apart"
    guessed = psnr(OWN.mean(0, keepdim=True).expand(4, -1, -1, -1), smooth(4, 3))
    assert bool((found > guessed + 3).all())
