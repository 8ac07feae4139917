"""What one example left in a head's releases names it, as often as theory allows and no more."""

from __future__ import annotations

import dataclasses

import pytest
import torch

import victims.transfer
from attacks.invert.bounds import named_at_most
from attacks.invert.heads.features import from_gradients, from_gramians
from attacks.invert.heads.residue import Residue, rank
from defenses.privacy.full_batch import mu_of_releases
from tests.victims.transfer.methods import small
from victims.training.streams import Repeatable
from victims.transfer import Gaussian, Problem, bound_rows

DIM, CLASSES, N = 12, 3, 8
FULL = [m for m in small() if m.sample_rate(100) == 1]


def rows(count, seed):
    draw = torch.Generator().manual_seed(seed)
    return bound_rows(torch.randn(count, DIM, generator=draw).double()), torch.arange(
        count
    ) % CLASSES


def residue(method, noise, key="", known=30):
    """Of the first of `N` candidates beside some others."""
    x, y = rows(known, 0)
    others = Problem(x, y, CLASSES, known + 1)
    sought, labels = rows(N, 1)
    joined = dataclasses.replace(
        others, features=torch.cat([x, sought[:1]]), labels=torch.cat([y, labels[:1]])
    )
    mechanism = Gaussian(noise, Repeatable(0, key), keep=True)
    method.fit(joined, mechanism)
    return Residue.of(method, others, mechanism.seen), sought, labels


@pytest.mark.parametrize("method", FULL, ids=repr)
def test_without_noise_an_examples_part_is_what_is_left(method):
    found, sought, labels = residue(method, 0.0)
    for name, part in found.part(sought[0], int(labels[0])).items():
        assert torch.allclose(part, found.left[name], atol=1e-9), name
    draw = torch.Generator().manual_seed(0)
    assert rank(found, sought, labels.tolist(), generator=draw) == 1


@pytest.mark.parametrize("method", FULL, ids=repr)
def test_without_noise_features_and_label_are_found(method):
    found, sought, labels = residue(method, 0.0)
    start = torch.nn.functional.normalize(sought.mean(0), dim=0)
    guess = from_gradients(found, start)
    assert float(torch.cosine_similarity(guess.feature, sought[0], dim=0)) > 0.999
    assert guess.label == int(labels[0])
    assert guess.error == 0


@pytest.mark.parametrize("options", [{}, {"per_class": True}])
def test_without_noise_gramians_tell_the_features_but_for_the_sign(options):
    found, sought, _ = residue(victims.transfer.get("dp-ls", **options), 0.0)
    guess = from_gramians(found, torch.nn.functional.normalize(sought[0], dim=0))
    assert float(torch.cosine_similarity(guess.feature, sought[0], dim=0)) > 0.999


@pytest.mark.parametrize("noise", [0.3, 1.0])
def test_the_error_that_is_told_is_the_error_there_is(noise):
    """From gradients under little noise for the size of the features, and from one Gramian."""
    found, sought, _ = residue(victims.transfer.get("dp-ls"), 0.1 * noise, "error")
    start = torch.nn.functional.normalize(sought.mean(0), dim=0)
    for guess in (from_gradients(found, start), from_gramians(found, sought[0])):
        wrong = float((guess.feature - sought[0]).square().mean().sqrt())
        assert guess.error / 2 < wrong < 2 * guess.error


@pytest.mark.parametrize("name", ["dp-ls", "dp-gd"])
def test_the_likeliest_is_named_often_and_never_oftener_than_mu_allows(name):
    """Of equally likely candidates; 300 fits, a chance of 1 in 8."""
    method = victims.transfer.get(name, **({"steps": 2} if name == "dp-gd" else {}))
    noise, runs = 1.2 * method.releases() ** 0.5, 300
    draw = torch.Generator().manual_seed(1)
    named = 0
    for run in range(runs):
        found, sought, labels = residue(method, noise, f"fit {run}", known=6)
        named += rank(found, sought, labels.tolist(), generator=draw) == 1
    limit = named_at_most(N, 1 / mu_of_releases([noise] * method.releases()))
    slack = 3 * (limit * (1 - limit) / runs) ** 0.5
    assert 1 / N + 0.05 < named / runs <= limit + slack


def test_two_opposite_candidates_reach_the_line_exactly():
    """The release's distance is then mu on either side: no smaller line could be right."""
    from scipy.stats import norm

    assert named_at_most(2, 1 / 0.7) == pytest.approx(norm.cdf(0.7))


def test_candidates_that_explain_alike_share_their_places():
    found, sought, labels = residue(victims.transfer.get("dp-ls"), 1.0)
    same, draw = sought[:1].expand(4, -1), torch.Generator().manual_seed(0)
    places = {rank(found, same, [int(labels[0])] * 4, generator=draw) for _ in range(40)}
    assert places == {1, 2, 3, 4}
