"""The images of a batch from what a whole release tells of each."""

from __future__ import annotations

import torch
from torch import Tensor

from attacks.invert.matching.clock import Clock
from attacks.invert.matching.image_prior import SpectralPrior
from attacks.invert.peeling.graph import Graph
from attacks.invert.peeling.match import Match
from attacks.invert.peeling.own import Own
from attacks.invert.peeling.peeled import Peeled
from attacks.invert.peeling.restarts import match_from_several


def images_of_batch(
    graph: Graph,
    peeled: Peeled,
    prior: SpectralPrior,
    own: Own,
    size: int,
    *,
    evaluations: int,
    clock: Clock,
) -> list[Match]:
    """The image of each example by its own features; the mean where nothing is known.

    Args:
        graph: of the model.
        peeled: what is known.
        prior: over images.
        own: what the adversary's own images show.
        size: of the batch, B.
        evaluations: of feature matching, for each example.
        clock: ends it early.
    """
    deepest = peeled.deepest()
    known = [] if deepest is None else [peeled.value(deepest)]
    if deepest == graph.image:
        return [Match(image[None], 0.0, 0, "solved") for image in known[0]]
    exact = len(known)
    known += peeled.directions.values()
    if not known:
        return [Match(prior.mean[None], 1.0, 0, "iterations")] * size
    names = [name for name in (deepest, *peeled.directions) if name is not None]
    layers = graph.upto(names, torch.float32)

    def features(images: Tensor) -> list[Tensor]:
        given = layers(images)
        directions = [other / other.norm().clamp(min=1e-12) for other in given[exact:]]
        return [*given[:exact], *directions]

    shown = own.at(names, features)
    return [
        match_from_several(
            features,
            [value[b : b + 1] for value in known],
            prior,
            shown,
            evaluations=evaluations,
            clock=clock.part(1 / (size - b)),
        )
        for b in range(size)
    ]
