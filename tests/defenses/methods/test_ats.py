"""ATS: its steps are those of Pillow, and its ways are all policies in all directions."""

from __future__ import annotations

import pytest
import torch
from PIL import Image, ImageEnhance

from defenses import BadInput, preprocessing
from defenses.methods.ats import ATS, STEPS
from tests.conftest import seeded
from victims.training import Training
from victims.training.prepare import prepare

HYBRID = ATS()


@pytest.mark.parametrize("name", ["brightness", "color", "contrast"])
@pytest.mark.parametrize("much", [-1.0, 0.5, 1.0])
def test_steps_are_those_of_pillow(photos, name, much):
    enhance = {"brightness": "Brightness", "color": "Color", "contrast": "Contrast"}[name]
    for image in photos.images[:4]:
        levels = (255 * image).round().byte()
        picture = Image.fromarray(levels.permute(1, 2, 0).numpy())
        wanted = getattr(ImageEnhance, enhance)(picture).enhance(1 + 0.5 * much)
        exact = torch.tensor(list(wanted.tobytes())).reshape(32, 32, 3).permute(2, 0, 1) / 255
        found = STEPS[name]((levels / 255)[None], much)[0]
        assert float((found - exact).abs().max()) <= 2 / 255  # grey levels are whole numbers


def test_images_are_moved_and_blackened():
    image = torch.arange(1.0, 17).reshape(1, 1, 4, 4) / 16
    right = STEPS["translateX"](image, 1.0)  # by round(4 * 150 / 331) = 2
    assert torch.equal(right[..., 2:], image[..., :2])
    assert not right[..., :2].any()
    up = STEPS["translateY"](image, -1.0)
    assert torch.equal(up[..., :2, :], image[..., 2:, :])
    assert not up[..., 2:, :].any()
    assert torch.equal(STEPS["invert"](image, -0.3), 1 - image)


def test_ways_are_all_policies_in_all_directions(photos):
    assert HYBRID.ways() == 16
    one = ATS(policy="invert0")
    assert one.ways() == 2  # the same twice: its direction says nothing
    image = photos.images[:1]
    assert torch.equal(one.view(image, 0), one.view(image, 1))
    every = torch.cat([HYBRID.view(image, w) for w in range(16)])
    # contrast7 twice, once up and once down, is nearly the same in either order.
    assert len(every.unique(dim=0)) == 16
    draws = preprocessing.random_views(HYBRID, image.expand(400, -1, -1, -1), seeded())
    assert len(draws.unique(dim=0)) == 16


@pytest.mark.parametrize("policy", ["", "rotate3", "contrast", "contrastx", "invert1--invert2"])
def test_unknown_steps_are_named(policy):
    with pytest.raises(BadInput, match=r"known: translateX, .*strength from 0 to 9"):
        ATS(policy=policy)


def test_every_step_shows_other_images_and_the_same_ones_again():
    training = Training(data="digits", model="mlp", defense="ats", count=40, batch_size=20)
    one, other = (prepare(training).trainer for _ in range(2))
    shown = []
    for _ in range(3):
        plain = one.inputs[one.sample()]
        images = one.batch()[0]
        assert images.shape == plain.shape
        assert not torch.equal(images, plain)
        assert torch.equal(images, other.batch()[0])
        shown.append(images)
        one.advance()
        other.advance()
    again = other.network.weights()
    assert all(torch.equal(v, again[k]) for k, v in one.network.weights().items())
