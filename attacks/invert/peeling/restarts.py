"""Feature matching from where own images suggest, and again from elsewhere where it got stuck."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from torch import Tensor

from attacks.invert.matching.clock import Clock
from attacks.invert.matching.image_prior import SpectralPrior
from attacks.invert.peeling.match import Match, are_rich, match
from attacks.invert.peeling.regression import Features, OwnFeatures

SHARE = 0.5
"""Of the evaluations that are left, what each try but the last may spend."""
NEARLY = 1e-3
"""A try that came this near is not stuck: the next one goes on where it ended."""


def match_from_several(
    features: Features,
    known: list[Tensor],
    prior: SpectralPrior,
    own: OwnFeatures,
    *,
    evaluations: int,
    clock: Clock,
    start: Tensor | None = None,
) -> Match:
    """`match` from one start after the other, until the features are matched.

    An image regressed on features is near enough for most; a walk over pixels from there is short
    and rarely stuck. The try whose features are nearest counts: no truth is needed to tell. Where
    features are few, many images have them: there is one try, near what own images suggest.

    Args:
        features: of the model.
        known: see `match`.
        prior: over images.
        own: what the adversary's own images give at the same layers.
        evaluations: at most so many gradients in all.
        clock: ends it early.
        start: (1, C, H, W), one more place to begin; None: the prior's mean.
    """
    tries: list[Match] = []
    spent = 0
    enough = are_rich(known, prior.mean)
    for place, last in _starts(known, own, start):
        left = evaluations - spent
        allowed = left if last else max(1, int(SHARE * left))
        begin = place
        if tries and min(one.misfit for one in tries) < NEARLY:
            begin = min(tries, key=lambda one: one.misfit).image
        one = match(features, known, prior, evaluations=allowed, clock=clock, start=begin)
        tries.append(one)
        spent += one.evaluations
        if one.stopped == "solved" or not enough or clock.over or spent >= evaluations:
            break
    best = min(tries, key=lambda one: one.misfit)
    return dataclasses.replace(best, evaluations=spent)


def _starts(
    known: list[Tensor], own: OwnFeatures, start: Tensor | None
) -> Iterator[tuple[Tensor | None, bool]]:
    """Where to begin, and whether that is the last place."""
    yield own.regressed(known), False
    yield start, False
    yield own.nearest(known), True
