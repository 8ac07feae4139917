"""What the adversary has must not hold the answer."""

from __future__ import annotations

import pytest
import torch

import victims
from attacks.families import run
from attacks.invert.load import load_cast
from attacks.invert.overlap import FEWEST, is_near, keep_apart
from attacks.invert.scenario import Scenario
from defenses import BadInput

DIGITS = victims.load_data("digits", split="train", count=60)


def heedless(split):
    """Images and labels, the same ones whatever the split."""
    return DIGITS.images, DIGITS.labels


def heedless_and_few(split):
    return DIGITS.images[:9], DIGITS.labels[:9]


def test_what_shows_the_same_is_near(photos, auxiliary):
    secret = photos.images[:4]
    noise = 0.01 * torch.randn(secret.shape, generator=torch.Generator().manual_seed(0))
    views = {
        "equal": secret,
        "rounded": (secret * 255).round() / 255,
        "noisy": (secret + noise).clamp(0, 1),
        "darker": 0.6 * secret + 0.1,
        "mirrored": secret.flip(3),
        "moved": secret.roll(1, 2),
    }
    for name, view in views.items():
        assert is_near(view, secret).all(), name
    assert not is_near(auxiliary.images, secret).any()
    # One colour correlates with nothing, and is near only to itself.
    grey = torch.full((1, 3, 32, 32), 0.5)
    assert is_near(grey, grey + 1e-3).all()
    assert not is_near(grey, secret).any()


def test_different_images_of_little_contrast_are_not_near():
    draw = torch.Generator().manual_seed(0)
    faint = 0.5 + 0.02 * torch.randn(40, 1, 16, 16, generator=draw)  # 31 dB from each other
    assert not is_near(faint[8:], faint[:8]).any()
    assert is_near((faint[:8] * 255).round() / 255, faint[:8]).all()


@pytest.mark.parametrize("name", ["digits", "photos"])
def test_no_built_in_set_loses_an_image(name):
    private = victims.load_data(name, count=16)
    own = victims.load_data(name, split="train", count=256, at_most=True)
    kept, dropped = keep_apart(own, private.images, name)
    assert dropped == 0
    assert kept is own


def test_images_in_both_splits_are_dropped_and_it_is_said():
    spec = f"{__name__}:heedless"
    cast = load_cast(Scenario(data=spec, images=4, model="linear"), device="cpu", data_root=None)
    assert not is_near(cast.auxiliary.images, cast.private.images).any()
    assert cast.dropped == 60 - len(cast.auxiliary.labels) >= 4
    quick = {"images": 2, "attack": "prior", "against": (), "defense": "none", "model": "linear"}
    record = run(Scenario(data=spec, **quick))
    told = record.baseline["auxiliary"]
    assert told["dropped"] >= 2
    assert told["images"] + told["dropped"] == 60
    assert max(row["psnr"] for row in record.baseline["rows"]) < 27

    from attacks.invert.show import table

    assert f"{told['dropped']} of the adversary's 60 images show a private one" in table(record)


def test_data_that_leave_the_adversary_nothing_are_refused():
    spec = f"{__name__}:heedless_and_few"
    with pytest.raises(BadInput, match=f"fewer than {FEWEST} others are left") as caught:
        run(Scenario(data=spec, images=2, model="linear"))
    assert "\n" not in str(caught.value)
