"""The cliff of every layer of a model: what is unknown of its input, and what its weights tell."""

from __future__ import annotations

import math
from collections.abc import Iterator

from attacks.invert.peeling.cliff import GATES, OUTER, SLOPE, Cliff
from attacks.invert.peeling.counts import Count, count
from attacks.invert.peeling.graph import Graph, Node
from attacks.invert.peeling.rules.contract import Routed, Weighted
from attacks.invert.peeling.rules.identity import Identity
from attacks.invert.peeling.rules.linear import Linear
from attacks.invert.peeling.rules.max_pool import MaxPool
from attacks.invert.peeling.rules.relu import ReLU
from attacks.invert.peeling.rules.reshape import Reshape


def cliffs(graph: Graph, batch: int = 1) -> list[Cliff]:
    """Every layer's, from the logits down to the image or to the first layer without a rule.

    Args:
        graph: of the model.
        batch: examples per update.
    """
    found: list[Cliff] = []
    told: set[str] = set()  # routed layers whose choice a layer above has told by being solved
    for counted in count(graph, batch):
        first = next(n for n in graph.nodes.values() if n.title == counted.layers[0])
        above = list(_above(graph, first.name))
        if any(node.rule is None for node in above):
            break
        routed = {
            n.name for n in above if isinstance(n.rule, Routed) and not _is_choice_told(graph, n)
        }
        found.append(_cliff(graph, counted, first, above, batch, told=routed <= told))
        told |= routed
    return found


def _cliff(
    graph: Graph, counted: Count, first: Node, above: list[Node], batch: int, *, told: bool
) -> Cliff:
    values = counted.channels * counted.unknowns
    equations = counted.channels * counted.equations
    picture = _is_picture(graph, counted.input)
    parts = counted.parts
    if isinstance(first.rule, Linear):
        off = any(isinstance(node.rule, ReLU) and not node.rule.leak for node in above)
        rows = round(counted.outputs * (1 - 0.5**batch)) if off else counted.outputs
        if batch == 1 or first.name == graph.logits:
            known = values + batch * rows
            counts = counted.layers, OUTER, known, counted.channels * rows, values
            return Cliff(*counts, told=batch == 1, rows=rows, pixels=picture)
        equations, parts = counted.channels * rows, ((batch, rows),)
    if told:
        return Cliff(
            counted.layers,
            SLOPE,
            values,
            equations,
            values,
            channels=counted.channels,
            parts=parts,
            pixels=picture,
        )
    # Beside the input a slope is sought for every output that something looks at.
    gates = counted.outputs * _looked_at(above, counted.places)
    # Layers that share the input with the first one have slopes of their own: its alone count.
    rule = first.rule
    assert isinstance(rule, Weighted)
    own = counted.channels * rule.equations
    return Cliff(counted.layers[:1], GATES, values + gates, own, values, pixels=picture)


def _is_picture(graph: Graph, name: str) -> bool:
    """Whether a node gives the image's values, each scaled by itself."""
    while name != graph.image:
        node = graph.nodes[name]
        kept = isinstance(node.rule, Identity | Reshape) or (node.rule and node.rule.pointwise)
        if not kept or len(node.inputs) > 1:
            return False
        name = node.inputs[0]
    return True


def _above(graph: Graph, name: str) -> Iterator[Node]:
    """The layers that a slope passes from the nearest weights above down to what a node gives."""
    for consumer in graph.consumers(name):
        yield consumer
        if not isinstance(consumer.rule, Weighted):
            yield from _above(graph, consumer.name)


def _is_choice_told(graph: Graph, node: Node) -> bool:
    """Whether the layers above, once solved, tell which entries this one passed on."""
    return isinstance(node.rule, ReLU) and _is_solved(graph, node.name)


def _is_solved(graph: Graph, name: str) -> bool:
    """Whether what a node gives is the input of a layer with weights, in whatever order."""
    for consumer in graph.consumers(name):
        if isinstance(consumer.rule, Weighted) and consumer.rule.parameter is not None:
            return True
        keeps = consumer.rule is not None and len(consumer.inputs) == 1
        same = keeps and math.prod(consumer.shape) == math.prod(graph.nodes[name].shape)
        if same and not isinstance(consumer.rule, Routed) and _is_solved(graph, consumer.name):
            return True
    return False


def _looked_at(above: list[Node], places: int) -> int:
    """How many of a channel's outputs have a slope: those that a pooling window covers."""
    for node in above:
        if isinstance(node.rule, MaxPool):
            share = float((node.rule.windows >= 0).double().mean())
            return round(share * places)
    return places
