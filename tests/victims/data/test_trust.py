"""What every door asks of images and options that did not come from here."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import attacks
import defenses
import victims
from attacks import audit, membership
from defenses import BadInput
from defenses.errors import TakenAs
from victims.data import Data
from victims.data.trust import adopt, agree, call, check
from victims.training import Training
from victims.training.examples import Examples
from victims.training.prepare import prepare

IMAGES = np.random.default_rng(0).random((6, 3, 8, 8))
LABELS = np.arange(6) % 3
SPARSE = torch.from_numpy(IMAGES).to_sparse()


def data(images=IMAGES, labels=LABELS, classes=3, names=("a", "b", "c")):
    images, labels = torch.as_tensor(images), torch.as_tensor(labels)
    return Data(images, labels, classes, names)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ((np.zeros((4, 16, 16, 13)), LABELS[:4]), "channels first"),
        ((2 * IMAGES - 1, LABELS), r"all of them in \[0, 1\], without NaN; they lie in \[-"),
        ((255 * IMAGES, LABELS), "they lie in"),
        ((np.where(IMAGES < 0.01, np.nan, IMAGES), LABELS), "without NaN"),
        ((np.where(IMAGES < 0.01, np.inf, IMAGES), LABELS), "they lie in"),
        ((IMAGES > 0.5, LABELS), r"torch\.bool; they must be floats"),
        ((IMAGES.astype(complex), LABELS), "they must be floats"),
        ((IMAGES.astype(object), LABELS), "one array of numbers"),
        (([IMAGES[0], IMAGES[1, :, :4]], LABELS[:2]), "one array of numbers"),
        ((SPARSE, LABELS), "dense tensor"),
        ((IMAGES[:0], LABELS[:0]), "at least one image"),
        ((IMAGES[:, :, :0], LABELS), "at least one image"),
        ((IMAGES, LABELS[:5]), r"it must be \(N, C, H, W\) and \(N,\)"),
        ((IMAGES, np.eye(6)), r"it must be \(N, C, H, W\) and \(N,\)"),
        ((IMAGES[:, 0], LABELS), r"it must be \(N, C, H, W\)"),
        ((IMAGES, LABELS - 1), "integers >= 0"),
        ((IMAGES, LABELS.astype(float)), "integers >= 0, not torch.float64"),
        ((IMAGES, LABELS > 1), "integers >= 0, not torch.bool"),
        ((IMAGES, LABELS.astype(str)), "one array of numbers"),
        (IMAGES, r"must return \(images, labels\), not ndarray"),
        (None, r"must return \(images, labels\), not NoneType"),
        ({"images": IMAGES, "labels": LABELS}, "not dict"),
        (data(2 * IMAGES), "they lie in"),
        (data(IMAGES.transpose(0, 2, 3, 1)), "channels first"),
        (data(classes=2, names=("a", "b")), r"labels up to 2; 2 classes allow \[0, 1\]"),
        (data(names=("a", "b")), "names 2 classes of 3"),
        (data(classes=3.0), "must be an integer >= 2"),
        (data(classes=True, names=("a",)), "must be an integer >= 2"),
    ],
)
def test_what_is_no_data_takes_one_line(found, why):
    with pytest.raises(BadInput, match=why) as caught:
        adopt(found, "data 'mine:f'")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 13])
def test_what_is_data_is_float32_of_its_own_memory(kind, channels):
    images = np.full((6, channels, 9, 9), 0.5, kind)
    found = adopt((images, LABELS), "x")
    images[:] = 0
    LABELS_BEFORE = found.labels.clone()
    assert (found.images == 0.5).all()
    assert (found.images.dtype, found.labels.dtype) == (torch.float32, torch.int64)
    assert found.images.is_contiguous()
    assert torch.equal(found.labels, LABELS_BEFORE)
    ready = data(torch.full((6, 1, 9, 9), 0.5))
    taken = adopt(ready, "x")
    taken.images.sub_(0.5)
    taken.labels.add_(1)
    assert (ready.images == 0.5).all()
    assert ready.labels[0] == 0


def test_features_and_strips_are_not_taken_for_channels_last():
    for shape in ((4, 13, 3, 3), (4, 100, 1, 1), (4, 13, 64, 64), (4, 3, 64, 3), (4, 1, 1, 1)):
        assert adopt((np.zeros(shape), LABELS[:4]), "x").images.shape == shape


def given(split):
    return IMAGES, LABELS


def without():
    return IMAGES, LABELS


ready = data()


def test_callables_that_are_none():
    assert victims.load_data("tests.victims.data.test_trust:given").classes == 3
    with pytest.raises(BadInput, match=r"takes split= and returns \(images, labels\), images"):
        victims.load_data("tests.victims.data.test_trust:without")
    assert len(victims.load_data("tests.victims.data.test_trust:ready").labels) == 3


def test_sets_kept_in_memory_are_not_lent():
    first = victims.load_data("photos")
    first.images.zero_()
    assert victims.load_data("photos").images.max() > 0.9


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"count": 0}, "count is 0; it must be an integer >= 1"),
        ({"count": True}, "count is True"),
        ({"count": 2.0}, r"count is 2\.0"),
        ({"seed": -1}, "seed is -1; it must be an integer >= 0"),
        ({"seed": 2**63}, "seed is"),
        ({"size": 0}, "size is 0"),
        ({"size": 16}, "digits has images of a size of its own"),
    ],
)
def test_options_of_data_have_a_domain(options, why):
    with pytest.raises(BadInput, match=why):
        victims.load_data("digits", **options)


def test_two_splits_share_shape_and_classes():
    agree(data(), data(classes=4, names=("a", "b", "c", "d")), "x")
    with pytest.raises(BadInput, match=r"differ in shape: \(3, 8, 8\), \(3, 4, 4\)"):
        agree(data(), data(IMAGES[..., :4, :4]), "x")
    with pytest.raises(BadInput, match="classes of x differ: c, d"):
        agree(data(), data(names=("a", "b", "d")), "x")


def test_examples_handed_over_pass_the_same_door():
    good = data(torch.from_numpy(IMAGES).float())
    wrong = data(2 * torch.from_numpy(IMAGES).float())
    training = Training(model="linear", defense="none", batch_size=2)
    for private, test in ((wrong, good), (good, wrong)):
        with pytest.raises(BadInput, match="they lie in"):
            prepare(training, examples=Examples(private, test))
    with pytest.raises(BadInput, match="differ in shape"):
        small = data(torch.from_numpy(IMAGES[..., :4]).float())
        prepare(training, examples=Examples(good, small))
    check(good, "x")


@pytest.mark.parametrize(
    "make",
    [
        lambda: attacks.Scenario(images=2.0),
        lambda: attacks.Scenario(images=True),
        lambda: attacks.Scenario(data=data()),
        lambda: attacks.Scenario(epsilon=float("nan")),
        lambda: attacks.Scenario(labels_known="no"),
        lambda: attacks.Scenario(against="none"),
        lambda: Training(epochs="3"),
        lambda: Training(batch_size=8.0),
        lambda: Training(lr=True),
        lambda: Training(delta=float("nan")),
        lambda: membership.Scenario(shadows=4.0),
        lambda: audit.Scenario(canaries=True),
        lambda: defenses.get("dpsgd", clip=True),
        lambda: defenses.get("dpsgd", clip=None),
        lambda: defenses.get("dpsgd", clip="1"),
        lambda: defenses.get("dpsgd", noise_multiplier=float("nan")),
        lambda: attacks.invert.get("bayes", iterations=10.0),
        lambda: attacks.invert.get("bayes", iterations=True),
        lambda: attacks.membership.get("lira", mode=3),
    ],
)
def test_fields_are_what_their_annotation_says(make):
    with pytest.raises(BadInput, match=r"must be (in|an?|texts|>) ?"):
        make()


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (IMAGES.transpose(0, 2, 3, 1), r"\(6, 8, 8, 3\) is taken as \(N, H, W, C\)"),
        ((255 * IMAGES).round().astype(np.uint8), r"bytes are taken as 255 times \[0, 1\]"),
        ((255 * IMAGES).round().astype(np.uint8).transpose(0, 2, 3, 1), "bytes are taken"),
    ],
)
def test_bytes_and_channels_last_are_recognised_and_said(images, said):
    with pytest.warns(TakenAs, match=said):
        found = adopt((images, LABELS), "data")
    assert found.images.shape == (6, 3, 8, 8)
    assert found.images.dtype == torch.float32
    assert (found.images - torch.from_numpy(IMAGES)).abs().max() <= 0.5 / 255 + 1e-6


def test_a_pair_that_is_no_callable_gives_every_other_image_to_each_split():
    test, train = (call((IMAGES, LABELS), "mine:DATA", split) for split in ("test", "train"))
    assert len(test.labels) == len(train.labels) == 3
    assert test.images.equal(torch.from_numpy(IMAGES).float()[1::2])
