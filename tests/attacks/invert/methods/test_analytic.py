"""A first linear layer under masks and noise: what the count expects is found, and more."""

from __future__ import annotations

import dataclasses
import functools

import pytest
import torch
from torch.nn.functional import cross_entropy

import victims
from attacks import invert
from attacks.invert.matching.first_layer import LENGTHS
from attacks.invert.matching.rank_one import complete
from attacks.invert.methods.analytic import EVALUATIONS
from attacks.invert.peeling.layer_cliffs import cliffs
from attacks.invert.peeling.trace import read_graph
from reports.scores import psnr
from tests.conftest import configured, seeded

SHAPE = (3, 20, 20)
NOISELESS = {"noise_multiplier": 0.0, "cooling": False}


@pytest.fixture(scope="module")
def mlp():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return victims.load_model("mlp", image_shape=SHAPE)


@pytest.fixture
def observe(observe):
    return functools.partial(observe, edge=SHAPE[-1])


def guess_of(model, release, threat):
    return invert.get("analytic").reconstruct(
        model, cross_entropy, release, threat, generator=seeded()
    )


@pytest.mark.parametrize("rate", [0.97, 0.995])
def test_as_many_pixels_are_exact_as_the_count_expects(rate, mlp, observe):
    layer = cliffs(read_graph(mlp, SHAPE))[1]
    release, threat, images, labels = observe(mlp, configured("dprs", rate=rate, **NOISELESS))
    mask = release.public["mask"]
    bias = next(name for name, value in mask.items() if value.shape == (256,))
    assert bool((release.update[bias] != 0).any())  # its length is known
    guess = guess_of(mlp, release, threat)
    exact = ((guess.images - images).abs() < 1e-4).double().mean()
    assert float(exact) == pytest.approx(layer.share(rate), abs=0.06)
    assert guess.labels.tolist() == labels.tolist()
    mean = threat.auxiliary_images.mean(0, keepdim=True)
    filled = torch.where((guess.images - images).abs() < 1e-4, images, mean)
    assert psnr(guess.images, images) > psnr(filled, images) + 3


def test_without_a_bias_the_rest_of_the_release_tells_the_length(mlp, observe):
    release, threat, images, _ = observe(mlp, configured("dprs", rate=0.97, **NOISELESS))
    bias = next(name for name, value in release.update.items() if value.shape == (256,))
    mask = {**release.public["mask"], bias: torch.zeros(256, dtype=torch.bool)}
    update = {k: v * mask[k] for k, v in release.update.items()}
    blind = dataclasses.replace(release, update=update, public={**release.public, "mask": mask})
    assert psnr(guess_of(mlp, blind, threat).images, images) > 25


def test_noise_is_averaged_over_all_rows_and_pixels(mlp, observe):
    release, threat, images, _ = observe(mlp, configured("dpsgd", noise_multiplier=1e-2))
    guess = guess_of(mlp, release, threat)
    naive = guess_of(mlp, release, dataclasses.replace(threat, adaptive=False))
    mean = threat.auxiliary_images.mean(0, keepdim=True)
    assert psnr(guess.images, images) > psnr(naive.images, images) + 5
    assert psnr(guess.images, images) > psnr(mean, images) + 3


@pytest.mark.parametrize("allowed", [1, 7, 40])
def test_no_more_is_spent_than_is_allowed(allowed, mlp, observe):
    release, threat, _, _ = observe(
        mlp, configured("dprs", rate=0.999, **NOISELESS), evaluations=allowed
    )
    guess = guess_of(mlp, release, threat)
    assert 1 <= guess.iterations <= allowed < EVALUATIONS + LENGTHS


def test_an_outer_product_is_exact_where_entries_lead_and_open_elsewhere():
    rows, columns = torch.tensor([2.0, -1.0, 3.0]).double(), torch.tensor([1.0, 4, -2, 5]).double()
    seen = torch.tensor([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]]).bool()
    found = complete(rows[:, None] * columns, seen, 0)
    assert found.known.tolist() == [True, True, True, False]
    assert torch.allclose(found.columns, torch.tensor([1.0, 4, -2, 0]).double())
    assert torch.allclose(found.rows, torch.tensor([2.0, -1, 0]).double())
