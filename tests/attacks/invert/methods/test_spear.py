"""Batches of fully connected ReLU networks come out exactly, or it is said why they do not."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import victims
from attacks import invert
from attacks.invert.matching.clock import Clock
from attacks.invert.matching.label_templates import TEMPLATES
from attacks.invert.matching.meter import measure
from attacks.invert.sparsity import directions
from attacks.invert.sparsity.directions import sparse_directions
from attacks.invert.sparsity.exact import sharpen
from attacks.invert.sparsity.factors import factors
from attacks.invert.sparsity.naming import name_images
from attacks.invert.sparsity.one_layer import can_be_slopes, slopes_of_logits
from defenses import BadInput
from reports.scores import assign, psnr
from tests.conftest import configured, seeded

QUIET = {"noise_multiplier": 0.0, "cooling": False}


@pytest.fixture(scope="module")
def mlp():
    return victims.load_model("mlp")


def attack(model, release, threat):
    return invert.get("spear").reconstruct(
        model, cross_entropy, release, threat, generator=seeded()
    )


def worst(guess, images):
    return float(psnr(guess.images[assign(guess.images, images)], images).min())


@pytest.mark.parametrize("batch", [1, 10])
def test_a_batch_comes_out_exactly_with_its_labels(batch, observe, mlp):
    release, threat, images, labels = observe(mlp, configured("none"), batch=batch)
    with measure() as meter:
        guess = attack(mlp, release, threat)
    assert worst(guess, images) > 55
    assert guess.labels.tolist() == sorted(labels.tolist())
    assert (guess.stopped, guess.note, guess.iterations) == ("solved", "", 1)
    # Each image under each label, and the energy of the guess; of ten also the labels' templates,
    # for linear programs of each label's examples.
    templates = TEMPLATES if batch > 1 else 0
    assert meter.gradients == batch * threat.classes + batch + templates


def test_labels_that_are_known_stand_with_their_images(observe, mlp):
    release, threat, images, labels = observe(mlp, configured("none"), batch=5)
    guess = attack(mlp, release, dataclasses.replace(threat, labels=labels))
    assert torch.equal(guess.labels, labels)
    order = assign(guess.images, images)
    assert torch.equal(guess.labels[order], labels)


@pytest.mark.parametrize(
    ("defense", "options", "floor"),
    [
        ("dprs", {"rate": 0.8}, 55),
        ("dpsgd", {"clip": 0.5}, 55),
        ("prune", {"rate": 0.5}, 40),  # of a few pixels no entry is seen
    ],
)
def test_masks_are_completed_and_clipping_is_nothing(defense, options, floor, observe, mlp):
    shield = configured(defense, **QUIET, **options)
    release, threat, images, labels = observe(mlp, shield, batch=3)
    guess = attack(mlp, release, threat)
    assert worst(guess, images) > floor
    assert guess.labels.tolist() == sorted(labels.tolist())
    naive = attack(mlp, release, dataclasses.replace(threat, adaptive=False))
    assert defense == "dpsgd" or worst(naive, images) < 30


def test_under_noise_the_guess_is_the_mean_and_says_so(observe, mlp):
    release, threat, _, labels = observe(mlp, configured("dpsgd"), batch=3)
    guess = attack(mlp, release, threat)
    mean = threat.auxiliary_images.mean(0)
    assert torch.allclose(guess.images, mean.expand_as(guess.images), atol=1e-5)
    assert guess.note == "the release has noise"
    assert guess.stopped == "iterations"
    assert guess.labels.shape == labels.shape


def test_an_image_that_occurs_twice_is_told_once(observe, mlp):
    _, threat, _, _ = observe(mlp, configured("none"), batch=3)
    photos = victims.load_data("photos")
    twice = torch.tensor([0, 1, 1])
    images, labels = photos.images[twice], photos.labels[twice]
    grads = victims.per_example_gradients(mlp, cross_entropy, images, labels)
    guess = attack(mlp, configured("none").release(grads, generator=seeded()), threat)
    assert guess.note == "2 of 3 examples were told apart by their zeros"
    for image in images[:2]:
        assert float(psnr(guess.images, image.expand_as(guess.images)).max()) > 55


def test_labels_stand_with_the_images_that_are_found_where_others_are_not(observe, mlp):
    _, threat, images, labels = observe(mlp, configured("none"), batch=6)
    slopes = victims.per_example_gradients(mlp, cross_entropy, images, labels)["1.1.bias"].double()
    known = dataclasses.replace(threat, labels=labels.sort().values)
    some = torch.tensor([4, 1, 3])
    named, order = name_images(mlp, cross_entropy, images[some], slopes[some], "1.1.bias", known)
    assert torch.equal(named, labels.sort().values)
    assert sorted(order.tolist()) == [0, 1, 2, 3, 4, 5]
    for place, image in enumerate(order.tolist()):
        assert image >= 3 or named[place] == labels[some[image]]


@pytest.mark.parametrize("batch", [2, 3])
def test_differences_that_are_as_sparse_as_the_examples_are_told_from_them(batch, observe):
    """Behind one hidden layer all slopes of two classes are one vector, masked and scaled."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3072, 64), nn.ReLU(), nn.Linear(64, 2))
    photos = victims.load_data("photos")
    images, labels = photos.images[:batch], photos.labels[:batch] % 2
    grads = victims.per_example_gradients(model, cross_entropy, images, labels)
    release = configured("none").release(grads, generator=seeded())
    _, threat, _, _ = observe(model, configured("none"), batch=1)
    known = {"classes": 2, "batch_size": batch, "auxiliary_labels": threat.auxiliary_labels % 2}
    guess = attack(model, release, dataclasses.replace(threat, **known))
    assert guess.stopped == "solved"
    assert worst(guess, images) > 50
    behind = slopes_of_logits(model, "1.bias", dataclasses.replace(threat, **known))
    fits = can_be_slopes(behind)
    mask = torch.arange(64) % 2
    assert torch.allclose(
        behind[0].nan_to_num(), behind[0].isfinite() * model[3].weight[0].double()
    )
    assert fits(3 * mask * behind[1].nan_to_num())
    assert not fits((mask - 0.5) * behind[1].nan_to_num())
    deep = nn.Sequential(*model[:3], nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
    assert slopes_of_logits(deep, "1.bias", dataclasses.replace(threat, **known)) is None


def test_it_refuses_what_leaves_no_zeros(observe, lenet, mlp):
    spear = invert.get("spear")
    _, threat, _, _ = observe(lenet, configured("none"), batch=2)
    assert "first layer is not linear" in spear.refusal(lenet, threat)
    smooth = nn.Sequential(nn.Flatten(), nn.Linear(3072, 64), nn.Tanh(), nn.Linear(64, 10))
    assert "no ReLU" in spear.refusal(smooth, threat)
    assert spear.refusal(smooth, dataclasses.replace(threat, batch_size=1)) == ""
    assert "do not tell 128 images" in spear.refusal(
        mlp, dataclasses.replace(threat, batch_size=128)
    )
    release, threat, _, _ = observe(lenet, configured("none"), batch=2)
    with pytest.raises(BadInput, match="attack 'spear' does not apply"):
        attack(lenet, release, threat)


def test_auto_tells_a_batch_apart_before_it_optimises(observe, mlp):
    release, threat, images, _ = observe(mlp, configured("none"), batch=4)
    auto = invert.get("auto").tuned(mlp, cross_entropy, threat, generator=seeded(1))
    guess = auto.reconstruct(mlp, cross_entropy, release, threat, generator=seeded())
    assert guess.attack == "spear"
    assert worst(guess, images) > 55


def mixture(rows=80, size=5):
    draw = seeded(3)
    slopes = torch.randn(rows, size, generator=draw, dtype=torch.float64)
    slopes *= torch.rand(rows, size, generator=draw) < 0.5
    mixing = torch.randn(size, size, generator=draw, dtype=torch.float64)
    return slopes, slopes @ mixing, torch.linalg.inv(mixing)


def test_the_sparsest_directions_are_the_examples():
    slopes, rows, unmix = mixture()
    found = sparse_directions(rows, rounds=4, zero=1e-8, generator=seeded(), clock=Clock())
    true = nn.functional.normalize(unmix.T, dim=1)
    assert torch.allclose((found @ true.T).abs().amax(0), torch.ones(5, dtype=torch.float64))
    assert len(found) == slopes.shape[1]


@pytest.mark.parametrize(("seed", "size"), [(0, 3), (1, 4), (3, 4)])
def test_directions_that_are_made_of_one_another_are_not_all_kept(seed, size, monkeypatch):
    monkeypatch.setattr(directions, "STARTS", 64)
    draw = seeded(seed)
    slopes = (torch.rand(60, size, generator=draw) < 0.5).double()  # differences are sparse too
    rows = slopes @ torch.randn(size, size, generator=draw).double()
    found = sparse_directions(rows, rounds=2, zero=1e-8, generator=seeded(), clock=Clock())
    assert len(found) == 0 or float(torch.linalg.svdvals(found)[-1]) > 1e-3


def test_a_sum_of_two_examples_is_no_example_however_many_zeros_it_has():
    draw = seeded(5)
    slopes, _, _ = mixture()
    on = slopes[:, :2] != 0
    slopes[:, 0] = on[:, 0] * 1.0
    slopes[:, 1] = on[:, 1] * (5.5 + 0.5 * torch.rand(len(slopes), generator=draw).double())
    both = int((on[:, 0] & on[:, 1]).nonzero()[0])
    slopes[both, 1] = 5.0
    basis, mixing = torch.linalg.qr(slopes)
    turn = torch.linalg.qr(torch.randn(5, 5, generator=draw, dtype=torch.float64)).Q
    basis, mixing = basis @ turn, turn.T @ mixing
    neither = int((~on).all(1).sum())
    # Two that are zero where both are, the second in one chosen row more.
    for pair, more in (((1.0, 1.0), 0), ((5.0, -1.0), 1)):
        sum_of_two = slopes[:, :2] @ torch.tensor(pair).double()
        assert int((sum_of_two == 0).sum()) == neither + more > 5 - 1 + 3
        apart = mixing[:, :2] @ torch.tensor(pair).double()
        assert sharpen(basis, apart / apart.norm(), 1e-8) is None
    alone = mixing[:, 0]
    assert sharpen(basis, alone / alone.norm(), 1e-8) is not None


def test_factors_complete_what_a_mask_hides_and_own_up_to_what_is_of_higher_rank():
    draw = seeded(4)
    left, right = (torch.randn(*s, generator=draw).double() for s in ((40, 3), (3, 60)))
    matrix, seen = left @ right, torch.rand(40, 60, generator=draw) < 0.5
    seen[7] = False
    first, second, misfit = factors(matrix * seen, seen, 3, Clock())
    rows = [i for i in range(40) if i != 7]
    assert misfit < 1e-6
    assert torch.allclose(second @ second.T, torch.eye(3).double(), atol=1e-9)
    assert torch.allclose((first @ second)[rows], matrix[rows], atol=1e-3)
    assert factors(torch.randn(40, 60, generator=draw).double(), seen | True, 3, Clock())[2] > 0.1
