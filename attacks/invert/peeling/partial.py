"""Guesses at one image from a release that shows its gradient in part, or with noise."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from attacks.invert.matching.clock import Clock
from attacks.invert.matching.image_prior import SpectralPrior
from attacks.invert.peeling.bilinear import PLAN, Plan
from attacks.invert.peeling.graph import Graph, Node
from attacks.invert.peeling.likeliest import likeliest_image
from attacks.invert.peeling.masked import MaskedPeel
from attacks.invert.peeling.masked_top import TopGuess
from attacks.invert.peeling.match import Match, match
from attacks.invert.peeling.own import Own
from attacks.invert.peeling.peeled import Peeled
from attacks.invert.peeling.restarts import match_from_several
from attacks.invert.peeling.top import Top


def plan_within(evaluations: int | None) -> Plan:
    """The stages of the top step, shortened alike to half of what is allowed; None: as they are.

    Those that are left with no evaluation are dropped.
    """
    whole = sum(count for _, count in PLAN)
    if evaluations is None or evaluations >= 2 * whole:
        return PLAN
    short = ((strength, count * evaluations // (2 * whole)) for strength, count in PLAN)
    return tuple((strength, count) for strength, count in short if count)


def images_of(
    graph: Graph,
    found: MaskedPeel,
    prior: SpectralPrior,
    own: Own,
    *,
    evaluations: int,
    clock: Clock,
) -> Iterator[Match]:
    """What the deepest layer that is known says, and the latent image; the likelier one counts.

    Under noise the mean image competes, too.

    Args:
        graph: of the model.
        found: the release, walked down.
        prior: over images.
        own: what the adversary's own images show.
        evaluations: of feature matching.
        clock: ends it early.
    """
    guess, peeled = _Guess.of(found), Peeled(found.walk, "")
    budget: dict[str, Any] = {"evaluations": evaluations, "clock": clock}
    if found.top.noise > 0:
        yield Match(prior.mean[None], 1.0, 0, "iterations")
    start = None if found.top.guess is None else found.top.guess.nearest.to(prior.mean)
    if guess is not None and not guess.found.solved:
        if guess.found.image is not None:
            yield Match(guess.found.image, 1.0, 0, "iterations")
        elif guess.top.spare <= 0:  # any input fits: what fits is no news
            yield Match(guess.found.images.clamp(0, 1), 1.0, 0, "iterations")
            return
        else:
            yield guess.likeliest(graph, prior, **budget)
    elif (deepest := peeled.deepest()) is not None:
        value = peeled.value(deepest)
        if deepest == graph.image:
            sure = found.top.noise == 0 and deepest in found.walk.values
            yield Match(value, 0.0, 0, "solved" if sure else "iterations")
            return
        features = graph.upto([deepest], torch.float32)
        shown = own.at([deepest], features)
        yield match_from_several(features, [value], prior, shown, start=start, **budget)
    elif guess is not None:
        yield guess.matched(graph, prior, **budget)
    if found.top.guess is not None:
        yield Match(found.top.guess.images.clamp(0, 1).to(prior.mean), 1.0, 0, "iterations")


@dataclass(frozen=True)
class _Guess:
    """What was found of the input of the top convolution.

    Attributes:
        found: its input, and images that have it.
        top: what the release says of it.
        layer: the convolution.
        peel: the release, walked down.
    """

    found: TopGuess
    top: Top
    layer: Node
    peel: MaskedPeel

    @classmethod
    def of(cls, peel: MaskedPeel) -> _Guess | None:
        """None where the release does not say as much."""
        guess, top, layer = peel.top.guess, peel.top.top, peel.top.layer
        if guess is None or top is None or layer is None:
            return None
        return cls(guess, top, layer, peel)

    def likeliest(
        self, graph: Graph, prior: SpectralPrior, *, evaluations: int, clock: Clock
    ) -> Match:
        """The likeliest image where the gates of the convolution are not known for sure."""
        features = graph.upto([self.layer.inputs[0]], torch.float32)
        variance = float(self.peel.top.seen[self.layer.name].variance.mean())
        return likeliest_image(
            lambda images: features(images)[0],
            self.found.inputs.clamp(min=0),
            input_error(self.top, self.found, variance),
            prior,
            self.found.nearest.to(prior.mean),
            evaluations=evaluations,
            clock=clock,
        )

    def matched(
        self, graph: Graph, prior: SpectralPrior, *, evaluations: int, clock: Clock
    ) -> Match:
        """The image that has the channels which the release tells of.

        A support that depends on the data may leave whole channels out, and the walk ends there.
        """
        told = self.top.told_channels
        features = graph.upto([self.layer.inputs[0]], torch.float32)
        return match(
            lambda images: [features(images)[0][:, told]],
            [self.found.inputs.clamp(min=0)[told].reshape(1, -1, *self.top.geometry.size)],
            prior,
            evaluations=evaluations,
            clock=clock,
            start=self.found.nearest.to(prior.mean),
        )


def input_error(top: Top, guess: TopGuess, variance: float) -> float:
    """Standard deviation of what was found of the top convolution's input, were its gates right.

    Args:
        top: what the release says.
        guess: what was found.
        variance: of the input over images.
    """
    # Wrong gates leave a residual beyond the noise, and count as noise; what is spent on unknowns
    # is gone from it.
    left = guess.residual * float(top.value.norm()) / math.sqrt(top.spare)
    noise = max(top.noise, left) ** 2
    rows = top.system(top.slope * guess.gates)
    precision = rows.T @ rows * float(top.seen.double().mean()) / max(noise, 1e-300)
    eye: Tensor = torch.eye(len(precision), dtype=precision.dtype, device=precision.device)
    return math.sqrt(float(torch.linalg.inv(precision + eye / variance).diagonal().mean()))
