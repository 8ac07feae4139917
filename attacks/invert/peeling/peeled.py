"""A release peeled as far as it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from attacks.invert.contract import Threat
from attacks.invert.matching.clock import Clock
from attacks.invert.peeling.batch import take_apart
from attacks.invert.peeling.blind import TopStep, blind_top
from attacks.invert.peeling.directions import find_directions, is_positive
from attacks.invert.peeling.flow import Choice, Slopes
from attacks.invert.peeling.graph import Graph
from attacks.invert.peeling.last_batch import slopes_of_batch
from attacks.invert.peeling.last_layer import last_linear
from attacks.invert.peeling.last_softmax import agree, slopes_by_softmax
from attacks.invert.peeling.onward import Loss, find_length
from attacks.invert.peeling.readable import is_noisy, visible_coordinates
from attacks.invert.peeling.rules.relu import ReLU
from attacks.invert.peeling.walk import Walk
from attacks.invert.peeling.weights import Weights
from defenses import Release

EXACT = 1e-4
"""Residual of a system above which the layer above it says more."""


@dataclass(frozen=True)
class Peeled:
    """What is known of a private batch.

    Attributes:
        walk: from the logits down; None where it could not begin.
        note: what ended it above the image; empty where it was reached.
        directions: name of a node below the deepest of the walk -> what it gave, to length 1.
        told: name of the one of these whose length is known, and its value; empty: of none.
    """

    walk: Walk | None
    note: str
    directions: dict[str, Tensor] = field(default_factory=dict)
    told: dict[str, Tensor] = field(default_factory=dict)

    @property
    def labels(self) -> Tensor | None:
        """(B,) int64, the classes whose slopes are negative; None where nothing is known."""
        return None if self.walk is None else self.walk.slopes.start.argmin(1).cpu()

    def deepest(self) -> str | None:
        """Name of the node nearest to the image whose values are known, exactly if any are."""
        if self.told:
            return next(iter(self.told))
        if self.walk is None:
            return None
        order = list(self.walk.graph.nodes)
        known = sorted(self.walk.values, key=order.index)
        exact = [name for name in known if self.walk.residuals[name] < EXACT]
        return next(iter(exact or known or self.walk.rough), None)

    def value(self, name: str) -> Tensor:
        """(B, *shape) what a node gave, without what cannot be."""
        if name in self.told:
            return self.told[name]
        assert self.walk is not None
        value = self.walk.values.get(name, self.walk.rough.get(name))
        assert value is not None
        rule = self.walk.graph.nodes[name].rule
        return value.clamp(min=0) if isinstance(rule, ReLU) and not rule.leak else value


def peel_release(
    graph: Graph,
    release: Release,
    threat: Threat,
    clock: Clock,
    *,
    labels: Callable[[], Tensor],
    top: TopStep = blind_top,
    generator: torch.Generator,
) -> Peeled:
    """Walk down from the slopes at the logits that a release tells.

    Below the walk, directions of inputs are told by row spaces.

    Args:
        graph: of the model, not refused.
        release: of its parameters.
        threat: what the adversary has.
        clock: ends the walk early.
        labels: the batch's, (B,) int64, as they are recovered; asked for where they are needed.
        top: the top step of a batch that is told apart behind the logits alone.
        generator: of the draws that take a batch apart.
    """
    if is_noisy(release, threat):
        return Peeled(None, "the release has noise")
    shown = visible_coordinates(release, threat)
    if isinstance(shown, str):
        return Peeled(None, shown)
    weights, size = Weights(release.update, shown), threat.batch_size
    slopes, mixed = _start(graph, weights, size, labels, generator)
    if slopes is None:
        peeled = Peeled(None, mixed)
    else:
        walk = Walk(graph, weights, slopes, top=top if mixed else blind_top, clock=clock)
        walk.run()
        stop = "" if walk.stop is None else f"{walk.stop.layer}: {walk.stop.reason}"
        # What kept the examples together higher up is why the walk ended, if it did.
        apart = any(choice.closes for choice in slopes.choices.values())
        peeled = Peeled(walk, mixed if mixed and stop and not apart else stop)
    if not peeled.note or (peeled.walk is not None and size > 1):
        return peeled
    below, deepest = list(graph.nodes), peeled.deepest()
    below = below if deepest is None else below[: below.index(deepest)]
    found = find_directions(graph, weights, clock, below, size, generator=generator)
    return replace(peeled, directions=found)


def _start(
    graph: Graph,
    weights: Weights,
    size: int,
    labels: Callable[[], Tensor],
    generator: torch.Generator,
) -> tuple[Slopes | None, str]:
    """The slopes at the logits, and what the top convolution of a batch passed on.

    Returns:
        None where they are not told; and why, or why a batch is told apart behind the logits
        alone; empty where it is told apart.
    """
    node, last = last_linear(graph)
    bias = weights.gradients.get(str(last.bias))
    seen = weights.visible is None or bool(
        weights.visible.get(str(last.bias), torch.zeros(1)).all()
    )
    if bias is None or not seen or not weights.told(last):
        return None, "the release does not show the whole bias behind the logits"
    total = bias.double()
    if size == 1:
        return Slopes(graph, total[None]), ""
    parts = take_apart(graph, weights, total, size, generator=generator)
    if not isinstance(parts, str):
        slopes = Slopes(graph, parts.slopes)
        slopes.choose(parts.layer, Choice(parts.passed, closes=True))
        return slopes, ""
    if weights.mask(last) is not None:
        return None, parts
    held = graph.module.get_parameter(str(last.bias)).detach().double()
    given = weights.gradient(last), total, last.weight.double(), held
    told = slopes_by_softmax(*given, labels())
    if told is None and is_positive(graph, graph.nodes[node.inputs[0]]):
        told = slopes_of_batch(last, weights, total, size, generator=generator)
        told = told if told is not None and agree(told, *given, told.argmin(1)) else None
    return (None if told is None else Slopes(graph, told)), parts


def with_length(graph: Graph, peeled: Peeled, loss: Loss, labels: Tensor) -> tuple[Peeled, int]:
    """The same with the length of the direction nearest to the image, and evaluations spent.

    Whatever lies above is run as it is, so that any layer may be there. One example; nothing is
    added where no node that all goes through is among the directions, or where its length leaves
    the gradients above unexplained.
    """
    if peeled.walk is None:
        return peeled, 0
    order, weights = list(graph.nodes), peeled.walk.weights
    cuts = [name for name in peeled.directions if graph.is_passed_by_all(name)]
    if not cuts:
        return peeled, 0
    name = min(cuts, key=order.index)
    direction = peeled.directions[name]
    told = find_length(graph, loss, labels, weights.gradients, weights.visible, name, direction)
    if told is None or not told.certain:
        return peeled, 0 if told is None else told.evaluations
    # What all goes through decides all that lies above it.
    below = {k: v for k, v in peeled.directions.items() if order.index(k) < order.index(name)}
    value = {name: direction * told.factor}
    return replace(peeled, directions=below, told=value), told.evaluations
