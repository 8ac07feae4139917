"""A release peeled as far as it goes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.invert.contract import Threat
from attacks.invert.matching.clock import Clock
from attacks.invert.peeling.batch import take_apart
from attacks.invert.peeling.flow import Choice, Slopes
from attacks.invert.peeling.graph import Graph
from attacks.invert.peeling.last_layer import last_linear
from attacks.invert.peeling.readable import visible_coordinates
from attacks.invert.peeling.rules.relu import ReLU
from attacks.invert.peeling.walk import Walk
from attacks.invert.peeling.weights import Weights
from defenses import Release

EXACT = 1e-5
"""Residual of a system above which the layer above it says more."""


@dataclass(frozen=True)
class Peeled:
    """What is known of a private batch.

    Attributes:
        walk: from the logits down; None where it could not begin.
        note: what ended it above the image; empty where it was reached.
    """

    walk: Walk | None
    note: str

    @property
    def labels(self) -> Tensor | None:
        """(B,) int64, the classes whose slopes are negative; None where nothing is known."""
        return None if self.walk is None else self.walk.slopes.start.argmin(1).cpu()

    def deepest(self) -> str | None:
        """Name of the node nearest to the image whose values are known, exactly if any are."""
        if self.walk is None:
            return None
        order = list(self.walk.graph.nodes)
        known = sorted(self.walk.values, key=order.index)
        exact = [name for name in known if self.walk.residuals[name] < EXACT]
        return next(iter(exact or known or self.walk.rough), None)

    def value(self, name: str) -> Tensor:
        """(B, *shape) what a node gave, without what cannot be."""
        assert self.walk is not None
        value = self.walk.values.get(name, self.walk.rough.get(name))
        assert value is not None
        rule = self.walk.graph.nodes[name].rule
        return value.clamp(min=0) if isinstance(rule, ReLU) and not rule.leak else value


def peel_release(
    graph: Graph, release: Release, threat: Threat, clock: Clock, *, generator: torch.Generator
) -> Peeled:
    """Walk down from the slopes at the logits that a release tells.

    Args:
        graph: of the model, not refused.
        release: of its parameters.
        threat: what the adversary has.
        clock: ends the walk early.
        generator: of the draws that take a batch apart.
    """
    shown = visible_coordinates(release, threat)
    if isinstance(shown, str):
        return Peeled(None, shown)
    _, last = last_linear(graph)
    bias = release.update.get(str(last.bias))
    if (
        bias is None
        or last.parameter not in release.update
        or not bool(shown[str(last.bias)].all())
    ):
        return Peeled(None, "the release does not show the whole bias behind the logits")
    total = bias.double()
    weights = Weights(release.update, shown)
    if threat.batch_size == 1:
        slopes = Slopes(graph, total[None])
    else:
        parts = take_apart(graph, weights, total, threat.batch_size, generator=generator)
        if isinstance(parts, str):
            return Peeled(None, parts)
        slopes = Slopes(graph, parts.slopes)
        slopes.choose(parts.layer, Choice(parts.passed, closes=True))
    walk = Walk(graph, weights, slopes, clock=clock)
    walk.run()
    return Peeled(walk, "" if walk.stop is None else f"{walk.stop.layer}: {walk.stop.reason}")
