"""Peeling on the device of the release: masks, noise, lengths that no bias tells, batches."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy

import defenses
import victims
from attacks import invert
from reports.scores import psnr
from tests.attacks.invert.peeling.test_masked import (
    GUESSED,
    MASKED,
    OWN,
    PRIVATE,
    SHAPE,
    averaged,
    build,
    normalised,
    pooled,
    smooth,
)
from tests.conftest import seeded

CASES = {
    "mask": (averaged, "dprs", {"rate": 0.4, **MASKED}, 1),
    "mask and pooling": (pooled, "dprs", {"rate": 0.4, **MASKED}, 1),
    "noise": (averaged, "dpsgd", {"clip": 1.0, "noise_multiplier": 1e-5}, 1),
    "no rule above": (normalised, "none", {}, 1),
    "batch": (averaged, "none", {}, 2),
    "batch behind the logits": (averaged, "none", {}, 4),
}


def peeled(device, layers, name, options, batch, *, hidden=False):
    """PSNR in dB of each image, from a release that lies on a device."""
    model, defense = build(layers).to(device), defenses.get(name, **options)
    images = PRIVATE if batch == 1 else smooth(batch, 3)
    labels = torch.tensor([0, 1, 3, 5])[:batch]
    grads = victims.per_example_gradients(
        model, cross_entropy, images.to(device), labels.to(device)
    )
    release = defense.release(grads, generator=seeded(5))
    if hidden:
        last = [key for key in release.update if key.endswith("bias")][-1]
        release.update[last].zero_()
        release.public["mask"][last].zero_()
    threat = invert.Threat(defense, True, SHAPE, 6, batch, OWN, torch.arange(96) % 6)
    peel = invert.get("peel", iterations=20)
    peel = peel.tuned(model, cross_entropy, threat, generator=seeded(6))
    guess = peel.reconstruct(model, cross_entropy, release, threat, generator=seeded(7))
    assert guess.images.device.type == "cpu"
    return psnr(guess.images, images)


@pytest.mark.parametrize("name", CASES)
def test_what_peeling_makes_lies_where_the_release_does(device, name):
    assert bool((peeled(device, *CASES[name]) > GUESSED + 1).all())


def test_a_length_is_looked_for_on_the_device_of_the_release(device):
    assert bool((peeled(device, *CASES["mask"], hidden=True) > 50).all())
