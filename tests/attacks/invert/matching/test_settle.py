"""What a release does not tell is as it usually is, not as an optimiser left it."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import victims
from attacks import invert
from attacks.invert.matching.image_prior import SpectralPrior
from attacks.invert.matching.objective import noise_std, residual
from attacks.invert.matching.settle import settle
from reports.scores import psnr
from tests.conftest import configured, seeded


class Blind(nn.Module):
    """Forgets the length of a picture, or its mean too."""

    def __init__(self, mean=False):
        super().__init__()
        self.mean = mean
        self.layers = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))

    def forward(self, x):
        x = x.flatten(1)
        x = x - x.mean(1, keepdim=True) if self.mean else x
        return self.layers(x / x.norm(dim=1, keepdim=True))


def victim(**options):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Blind(**options)


def observe(model):
    private = victims.load_data("digits", count=1)
    own = victims.load_data("digits", split="train", count=64)
    grads = victims.per_example_gradients(model, cross_entropy, private.images, private.labels)
    shield = configured("none")
    release = shield.release(grads, generator=seeded())
    known = (own.images, own.labels)
    return private, release, invert.Threat(shield, True, (1, 8, 8), 10, 1, *known)


@pytest.mark.parametrize("name", ["bayes", "dlg", "geiping"])
def test_a_picture_whose_brightness_the_release_does_not_tell_is_not_left_dark(name):
    model = victim()
    private, release, threat = observe(model)
    attack = invert.get(name, iterations=150)
    guess = attack.reconstruct(model, cross_entropy, release, threat, generator=seeded())
    assert psnr(guess.images, private.images).item() > 30


def test_a_picture_without_its_mean_gets_the_usual_contrast_and_mean():
    model = victim(mean=True)
    private, release, threat = observe(model)
    compare = residual(model, cross_entropy, release, threat, private.labels)
    prior = SpectralPrior.fit(threat.auxiliary_images)
    grey = 0.45 + 0.02 * private.images
    moved, _ = settle(compare, grey, prior, noise_std(release, threat))
    assert psnr(moved, private.images) > psnr(grey, private.images) + 5


def test_a_picture_whose_brightness_the_release_tells_stays_as_it_is():
    model = victims.load_model("mlp", image_shape=(1, 8, 8))
    private, release, threat = observe(model)
    compare = residual(model, cross_entropy, release, threat, private.labels)
    prior = SpectralPrior.fit(threat.auxiliary_images)
    images = 0.5 * private.images
    assert settle(compare, images, prior, noise_std(release, threat))[0] is images
