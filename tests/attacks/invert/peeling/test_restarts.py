"""Feature matching begins where own images suggest, and elsewhere where it gets stuck."""

from __future__ import annotations

import torch
from torch import nn

from attacks.invert.matching.clock import Clock
from attacks.invert.matching.image_prior import SpectralPrior
from attacks.invert.peeling import restarts
from attacks.invert.peeling.match import Match
from attacks.invert.peeling.regression import OwnFeatures
from tests.conftest import seeded


def smooth(count, seed):
    draw = torch.rand(count, 3, 3, 3, generator=seeded(seed))
    return nn.functional.interpolate(draw, (8, 8), mode="bilinear", align_corners=True)


OWN, PRIVATE = smooth(96, 1), smooth(1, 2)
PRIOR = SpectralPrior.fit(OWN)


def features(images):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layer = nn.Conv2d(3, 16, 3).requires_grad_(False)
    return [layer(images.float()).relu()]


def test_an_image_regressed_on_features_is_nearer_than_the_mean_and_the_nearest_one():
    own, known = OwnFeatures.of(features, OWN), features(PRIVATE)
    wrong = (own.regressed(known) - PRIVATE).square().mean()
    assert wrong < 0.1 * (PRIOR.mean - PRIVATE).square().mean()
    assert wrong < 0.1 * (own.nearest(known) - PRIVATE).square().mean()


def test_the_nearest_image_is_the_one_with_these_features():
    own = OwnFeatures.of(features, OWN)
    assert torch.equal(own.nearest(features(OWN[7:8])), OWN[7:8])


def found(monkeypatch, misfits, evaluations=80, enough=1e-7, features=features):
    """The answer of scripted tries, and what each was allowed and began with."""
    tries = []

    def match(features, known, prior, *, evaluations, clock, start):
        misfit = misfits[len(tries)]
        tries.append((evaluations, start))
        stopped = "solved" if misfit < enough else "iterations"
        return Match(torch.full((1, 3, 8, 8), misfit), misfit, evaluations, stopped)

    monkeypatch.setattr(restarts, "match", match)
    own, known = OwnFeatures.of(features, OWN), features(PRIVATE)
    options = {"evaluations": evaluations, "clock": Clock()}
    return restarts.match_from_several(features, known, PRIOR, own, **options), tries


def test_a_try_that_gets_stuck_is_followed_by_others_and_the_nearest_counts(monkeypatch):
    best, tries = found(monkeypatch, [0.3, 0.1, 0.2])
    assert (best.misfit, best.evaluations, best.stopped) == (0.1, 80, "iterations")
    assert [allowed for allowed, _ in tries] == [40, 20, 20]
    starts = [start for _, start in tries]
    assert starts[1] is None
    assert torch.equal(starts[2], OwnFeatures.of(features, OWN).nearest(features(PRIVATE)))


def test_a_solved_try_is_the_last(monkeypatch):
    best, tries = found(monkeypatch, [0.3, 0.0, 0.2])
    assert (best.misfit, best.evaluations, best.stopped, len(tries)) == (0.0, 60, "solved", 2)


def test_no_more_evaluations_are_spent_than_are_allowed(monkeypatch):
    best, tries = found(monkeypatch, [0.3, 0.2, 0.1], evaluations=2)
    assert (best.evaluations, len(tries)) == (2, 2)


def test_a_try_that_is_nearly_there_goes_on_where_it_ended(monkeypatch):
    _, tries = found(monkeypatch, [0.3, 5e-4, 1e-5])
    assert torch.equal(tries[2][1], torch.full((1, 3, 8, 8), 5e-4))


def test_few_features_are_matched_once_for_many_images_have_them(monkeypatch):
    best, tries = found(monkeypatch, [0.3, 0.2, 0.1], features=lambda i: [features(i)[0][:, :4]])
    assert (best.misfit, len(tries)) == (0.3, 1)
