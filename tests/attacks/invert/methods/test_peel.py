from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import victims
from attacks import invert
from attacks.invert.matching.fit import Fit
from attacks.invert.practice.rehearsal import Rehearsal
from defenses import BadInput
from reports.scores import assign, psnr
from tests.conftest import configured, seeded


def strided():
    """A network whose walk ends above its first layer: 768 equations for 1024 unknowns."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 48, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(48, 64, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(64, 320, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(320, 10),
        ).eval()


def peel(model, release, threat, **options):
    attack = invert.get("peel", **options)
    return attack.reconstruct(model, cross_entropy, release, threat, generator=seeded())


@pytest.mark.parametrize("clip", [None, 0.01])
def test_the_image_is_matched_below_the_deepest_layer(clip, observe):
    model = strided()
    defense = "none" if clip is None else "dpsgd"
    shield = configured(defense, noise_multiplier=0.0, **({} if clip is None else {"clip": clip}))
    release, threat, images, labels = observe(model, shield, first=1)
    guess = peel(model, release, threat)
    assert psnr(guess.images, images).item() > 50
    assert guess.labels.tolist() == labels.tolist()
    assert guess.stopped == "solved"
    assert guess.note == ""
    assert 1 < guess.iterations < 200


def test_a_batch_of_two_is_found_with_its_labels(observe):
    model = strided()
    release, threat, images, labels = observe(model, configured("none"), first=1, batch=2)
    guess = peel(model, release, threat)
    order = assign(guess.images, images)
    assert bool((psnr(guess.images[order], images) > 50).all())
    assert guess.labels[order].tolist() == labels.tolist()


def test_what_cannot_be_peeled_is_refused_by_the_name_of_the_layer(observe, lenet):
    release, threat, _, _ = observe(lenet, configured("none"))
    assert invert.get("peel").refusal(lenet, threat) == "1.5: no rule covers Sigmoid"
    with pytest.raises(BadInput, match="does not apply: 1\\.5: no rule covers"):
        peel(lenet, release, threat)
    for name, reason in {
        "dpcnn": "1.17: no rule covers Tanh",
        "scatter-cnn": "the model cannot be read as a graph",
    }.items():
        assert reason in invert.get("peel").refusal(victims.load_model(name), threat)
    assert invert.get("peel").refusal(victims.load_model("resnet20-4"), threat) == ""


def test_what_stopped_a_walk_is_told_with_the_guess(observe):
    model = strided()
    release, threat, images, _ = observe(model, configured("dpsgd", noise_multiplier=0.1))
    blurred = peel(model, release, threat)
    assert blurred.note == "the release has noise"
    assert blurred.stopped == "iterations"
    mean = threat.auxiliary_images.mean(0, keepdim=True)
    assert psnr(blurred.images, images) > psnr(mean, images) - 0.5
    release, threat, _, _ = observe(model, configured("sign"))
    told = "the defense does more to a gradient than to clip it and to leave coordinates out"
    assert peel(model, release, threat).note == told
    release, threat, _, _ = observe(model, configured("none"))
    short = peel(model, release, threat, iterations=1)
    assert short.iterations == 1
    assert short.note == "0: 768 equations for 1024 unknowns per channel"
    late = peel(model, release, dataclasses.replace(threat, seconds=1e-9))
    assert late.stopped == "time"


def test_a_gradient_that_is_no_gradient_of_the_model_gets_the_fall_back(observe):
    model = strided()
    release, threat, _, _ = observe(model, configured("none"))
    update = {
        k: v + 0.1 * v.std() * torch.randn(v.shape, generator=seeded())
        for k, v in release.update.items()
    }
    guess = peel(model, dataclasses.replace(release, update=update), threat)
    assert guess.note.startswith("8: 1.")
    assert guess.note.endswith("of its weight's gradient is left unexplained")
    assert guess.iterations > 1


def test_auto_practises_peeling_alone_where_it_rebuilds(observe):
    model = strided()
    release, threat, images, _ = observe(model, configured("none"), first=1)
    attack = invert.get("auto").tuned(model, cross_entropy, threat, generator=seeded(1))
    assert [a.name for a in attack.exact] == ["peel"]
    alone = attack.exact[0].reconstruct(model, cross_entropy, release, threat, generator=seeded())
    guess = attack.reconstruct(model, cross_entropy, release, threat, generator=seeded())
    assert (guess.attack, guess.iterations) == ("peel", alone.iterations)  # and nothing after it
    assert psnr(guess.images, images).item() > 50


def test_auto_goes_on_where_a_peeled_image_explains_too_little(observe, monkeypatch):
    model = strided()
    release, threat, _, _ = observe(model, configured("none"), first=1)
    attack = invert.get("auto", iterations=2, practice=0)
    short = attack.reconstruct(model, cross_entropy, release, threat, generator=seeded())
    monkeypatch.setattr("attacks.invert.methods.auto.Fit.of", lambda *given: Fit(0.5, 1.0, 1))
    long = attack.reconstruct(model, cross_entropy, release, threat, generator=seeded())
    assert long.iterations > short.iterations


def test_a_batch_through_hidden_units_is_taken_apart_at_the_last_layer(observe):
    model = victims.load_model("mlp")
    release, threat, images, labels = observe(model, configured("none"), batch=3)
    guess = peel(model, release, threat)
    order = assign(guess.images, images)
    assert bool((psnr(guess.images[order], images) > 50).all())
    assert guess.labels[order].tolist() == labels.tolist()
    assert guess.stopped == "solved"


def test_matching_features_takes_the_place_of_matching_gradients(observe):
    model = strided()
    _, threat, _, _ = observe(model, configured("none"))
    attack = invert.get("auto", iterations=2, practice=1)
    brief = dataclasses.replace(attack, exact=(invert.get("peel", iterations=4),))
    ready = brief.tuned(model, cross_entropy, threat, generator=seeded(1))
    assert [trial.name for trial in ready.exact] == ["peel"]
    assert not {"dlg", "geiping", "peel"} & {trial.name for trial in ready.plan}


def test_what_peels_in_part_is_not_cut_short_by_the_plan(observe):
    model = strided()
    release, threat, _, _ = observe(model, configured("none"))
    attack = invert.get("auto", iterations=2, practice=1)
    brief = dataclasses.replace(attack, exact=(invert.get("peel", iterations=4),))
    ready = brief.tuned(model, cross_entropy, threat, generator=seeded(1))
    (alone,) = ready.exact
    whole = alone.reconstruct(model, cross_entropy, release, threat, generator=seeded())
    guess = ready.reconstruct(model, cross_entropy, release, threat, generator=seeded())
    assert guess.iterations >= whole.iterations == 4


def test_auto_practises_on_images_that_it_does_not_look_at(observe, monkeypatch):
    _, threat, _, _ = observe(strided(), configured("none"))
    looked = []

    def tuned(self, model, loss, threat, *, generator):
        looked.append(threat.auxiliary_images)
        return self

    def error(self, attack, threat, *, generator):
        looked.append(threat.auxiliary_images)
        practised.append(self.images)
        return 0.0

    practised = []
    monkeypatch.setattr(invert.methods.peel.Peel, "tuned", tuned)
    monkeypatch.setattr(Rehearsal, "error", error)
    invert.get("auto", practice=2).tuned(strided(), cross_entropy, threat, generator=seeded(1))
    assert len(practised) > 2
    for images in looked:
        assert len(images) == len(threat.auxiliary_images) - 2
        for batch in practised:
            assert not (images == batch).flatten(1).all(1).any()


def test_auto_judges_a_guess_once_and_by_the_labels_that_it_goes_with(observe, monkeypatch):
    model = strided()
    release, threat, images, labels = observe(model, configured("none"), batch=2)
    other = labels.flip(0) + 1

    def reconstruct(self, *given, **options):
        return invert.Guess(images, other, 0.0, "prior", 1, "solved")

    asked = []

    def fit(compare, images):
        asked.append(compare)
        return Fit(0.0, 1.0, 1)

    place = "attacks.invert.methods.auto"
    monkeypatch.setattr(f"{place}.residual", lambda *given: tuple(given[4].tolist()))
    monkeypatch.setattr(f"{place}.Fit.of", fit)
    monkeypatch.setattr(type(invert.get("prior")), "reconstruct", reconstruct)
    auto = dataclasses.replace(invert.get("auto"), exact=(), plan=(invert.get("prior"),))
    auto.reconstruct(model, cross_entropy, release, threat, generator=seeded())
    assert asked == [tuple(other.tolist())]
