"""The step of a walk through group normalisation, under the gates that explain it best."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from attacks.invert.matching.clock import Clock
from attacks.invert.peeling.bits import LADDER
from attacks.invert.peeling.flow import Choice, Slopes
from attacks.invert.peeling.graph import Graph, Node
from attacks.invert.peeling.normed import Normed, solve_normed
from attacks.invert.peeling.normed_system import Problem
from attacks.invert.peeling.rules.convolution import Convolution
from attacks.invert.peeling.rules.group_norm import GroupNorm
from attacks.invert.peeling.rules.relu import ReLU
from attacks.invert.peeling.weights import Weights

CONFIRMED = 1e-6
"""A residual below this is float32's: the gates above were right."""


def unnorm(
    graph: Graph,
    layer: Node,
    values: Mapping[str, Tensor],
    slopes: Slopes,
    weights: Weights,
    clock: Clock,
) -> Normed | str | None:
    """What a convolution was fed whose output is normalised, and its gates in `slopes`.

    Args:
        graph: of the model.
        layer: with a weight that is told.
        values: name of a node -> what it gave.
        slopes: at every layer.
        weights: the release's.
        clock: ends it early.

    Returns:
        None where no group normalisation follows, or what it gave is not known of one example
        without a mask; a reason where what it gave does not tell it.
    """
    above = graph.consumers(layer.name)
    rule, module = layer.rule, layer.target
    if len(above) != 1 or not isinstance(norm := above[0].rule, GroupNorm):
        return None
    if not isinstance(rule, Convolution) or not isinstance(module, nn.Conv2d):
        return None
    if weights.mask(rule) is not None or len(slopes.start) > 1:
        return None
    bias = module.weight.new_zeros(len(module.weight)) if module.bias is None else module.bias
    given = rule, bias.detach().double(), norm, weights.gradient(rule)
    best: Normed | str | None = None
    kept: tuple[str, Choice] | None = None
    for value, known, choice in _shown(graph, above[0], values):
        if choice is not None:
            slopes.choose(*choice)
        flow = slopes.at(above[0].name)
        if flow is None or flow.open is not None or flow.doubt is not None:
            return None
        told = solve_normed(Problem(*given, value, known, flow.slope), clock)
        if best is None or _left(told) < _left(best):
            best, kept = told, choice
        if clock.over or (isinstance(best, Normed) and best.residual < CONFIRMED):
            break
    if kept is not None:
        slopes.choose(*kept)
    return best


def _left(told: Normed | str) -> float:
    """What a solution leaves unexplained; more than any where there is none."""
    return told.residual if isinstance(told, Normed) else math.inf


def _shown(
    graph: Graph, norm: Node, values: Mapping[str, Tensor]
) -> list[tuple[Tensor, Tensor, tuple[str, Choice] | None]]:
    """What a normalisation gave, where it is known, and the gates above for which it is."""
    if norm.name in values:
        value = values[norm.name]
        return [(value, torch.ones_like(value, dtype=torch.bool), None)]
    above = graph.consumers(norm.name)
    if len(above) != 1 or not isinstance(above[0].rule, ReLU) or above[0].name not in values:
        return []
    value = values[above[0].name]
    ways: list[Tensor] = []
    for read in LADDER:
        passed, _ = read(value)
        if not any(torch.equal(passed, other) for other in ways):
            ways.append(passed)
    return [(value, passed, (above[0].name, Choice(passed.to(value)))) for passed in ways]
