"""Inputs of convolutions up to their length, where no slope above them is known."""

from __future__ import annotations

import math
from collections.abc import Collection

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attacks.invert.matching.clock import Clock
from attacks.invert.peeling.blind import fixed_points, row_space
from attacks.invert.peeling.demix import demix
from attacks.invert.peeling.graph import Graph, Node
from attacks.invert.peeling.rules.averaging import Averaging
from attacks.invert.peeling.rules.convolution import Convolution
from attacks.invert.peeling.rules.identity import Identity
from attacks.invert.peeling.rules.max_pool import MaxPool
from attacks.invert.peeling.rules.relu import ReLU
from attacks.invert.peeling.rules.reshape import Reshape
from attacks.invert.peeling.rules.standardised import Standardised
from attacks.invert.peeling.weights import Weights

KEEPS_SIGN = (MaxPool, Averaging, Identity, Reshape)
"""What they give is not negative when what they are fed is not."""


def readable_directions(graph: Graph, batch: int = 1) -> list[Node]:
    """Convolutions whose gradient's row space tells their input, the last first.

    They have no more places than channels, patches of more than one place, and are fed with what
    is not negative, which tells the sign. Whatever lies above them may have any rule or none.
    """
    return [
        node
        for node in reversed(list(graph.nodes.values()))
        if isinstance(node.rule, Convolution)
        and node.rule.geometry.taps > 1
        and batch * math.prod(node.shape[1:]) <= len(node.rule.weight)
        and is_positive(graph, graph.nodes[node.inputs[0]])
    ]


def find_directions(
    graph: Graph,
    weights: Weights,
    clock: Clock,
    wanted: Collection[str],
    batch: int = 1,
    *,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """Name of a node -> (B, *shape) what it gave, each example scaled to length 1.

    All that are told, for one example. For a batch the one nearest to the image: which example is
    which differs between layers.

    Args:
        graph: of the model.
        weights: the release's; masked ones say nothing.
        clock: ends it early.
        wanted: names of nodes that are looked at.
        batch: examples, B.
        generator: of the draws that take a batch apart.
    """
    found: dict[str, Tensor] = {}
    layers = readable_directions(graph, batch)
    for node in layers if batch == 1 else layers[::-1]:
        name, rule = node.inputs[0], node.rule
        assert isinstance(rule, Convolution)
        if name in found or name not in wanted or clock.over:
            continue
        rows = _rows(rule, weights, batch * math.prod(node.shape[1:]))
        if rows is None:
            continue
        direction = _direction(rule, rows, math.prod(node.shape[1:]), batch, generator)
        if direction is not None:
            found[name] = direction
            if batch > 1:
                break
    return found


def _rows(rule: Convolution, weights: Weights, places: int) -> Tensor | None:
    """(r, I * taps) a space that holds the patches of so many places; None where it is not told.

    Of a standardised weight it holds them without their means, and so with those the constant.
    """
    if isinstance(rule, Standardised):
        centred = rule.centred(weights)
        if centred is None:
            return None
        rows = row_space(centred, places)
        one = torch.ones_like(rows[:1])
        return torch.cat([rows, one / one.norm()])
    if not weights.told(rule) or weights.mask(rule) is not None:
        return None
    return row_space(weights.gradient(rule), places)


def _direction(
    rule: Convolution, rows: Tensor, places: int, batch: int, generator: torch.Generator
) -> Tensor | None:
    """(B, I, H, W) of length 1 each; None where the space does not tell them."""
    every = torch.ones(places, dtype=torch.bool, device=rows.device)
    mixed = fixed_points(rows, every, rule.geometry, batch, alone=True)
    apart = None if mixed is None else demix(mixed.flatten(1).T, generator=generator)
    if mixed is None or apart is None:
        return None
    unit: Tensor = (apart / apart.norm(dim=0)).clamp(min=0)
    return unit.T.reshape(mixed.shape)


def is_positive(graph: Graph, node: Node) -> bool:
    """Whether what a node gives is never negative: a ReLU's output, pooled or reshaped.

    Pooling whose windows overlap has no rule, and keeps the sign all the same.
    """
    pooled = isinstance(node.target, nn.MaxPool2d) or node.target is F.max_pool2d
    if pooled or isinstance(node.rule, KEEPS_SIGN):
        return is_positive(graph, graph.nodes[node.inputs[0]])
    return isinstance(node.rule, ReLU) and not node.rule.leak
