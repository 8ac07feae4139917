"""At which drop rate each layer's equations run out, and with them the picture."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from attacks.invert.peeling.counts import Count, count
from attacks.invert.peeling.graph import Graph, Node
from attacks.invert.peeling.rules.contract import Routed, Weighted
from attacks.invert.peeling.rules.max_pool import MaxPool
from attacks.invert.peeling.rules.relu import ReLU

OUTER = "outer product"
GATES = "gates too"
SLOPE = "slope known"


@dataclass(frozen=True)
class Cliff:
    """Unknowns and equations of the input of some layers, all channels and examples together.

    Attributes:
        layers: titles of the layers whose weights' gradients hold the equations.
        kind: what is unknown. `OUTER`: the last layer, its input and the slopes at its output.
            `GATES`: the input, and which outputs of the first layer pass their slope on.
            `SLOPE`: the input alone.
        unknowns: numbers that are sought.
        equations: numbers that a release without a mask gives.
        values: how many of the unknowns are the layer's input.
        told: whether equations can tell the unknowns at all. The last layer's gradient of a batch
            is a sum of outer products, the same for every mixing of the examples.
    """

    layers: tuple[str, ...]
    kind: str
    unknowns: int
    equations: int
    values: int
    told: bool = True

    @property
    def rate(self) -> float:
        """The share of coordinates that may be dropped before equations run out; 0 when at once."""
        return max(0.0, 1 - self.unknowns / self.equations) if self.told else 0.0

    def left(self, rate: float) -> int:
        """Equations that are expected at a drop rate."""
        return round((1 - rate) * self.equations)


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
        routed = {n.name for n in above if isinstance(n.rule, Routed) and not _told(graph, n)}
        found.append(_cliff(graph, counted, first, above, batch, told=routed <= told))
        told |= routed
    return found


def predicted(layers: list[Cliff], pixels: int) -> float | None:
    """The drop rate beyond which no layer is solved whose input says as much as the picture.

    A layer can be solved only below those above it; the last one, whose slopes survive every
    mask, is no obstacle.

    Args:
        layers: see `cliffs`.
        pixels: values of all pictures of the batch.

    Returns:
        None where no layer that can be solved is that large: then only the whole update can tell.
    """
    best, reached = 0.0, 1.0
    for layer in layers:
        if layer.values >= pixels:
            best = max(best, min(reached, layer.rate))
        if layer.kind != OUTER:
            reached = min(reached, layer.rate)
    return best or None


def whole(coordinates: int, pixels: int) -> float:
    """The drop rate at which an update has as many coordinates left as the pictures have pixels."""
    return max(0.0, 1 - pixels / coordinates)


def _cliff(
    graph: Graph, counted: Count, first: Node, above: list[Node], batch: int, *, told: bool
) -> Cliff:
    values = counted.channels * counted.unknowns
    equations = counted.channels * counted.equations
    if first.name == graph.logits:
        unknowns = values + batch * counted.outputs
        return Cliff(counted.layers, OUTER, unknowns, equations, values, told=batch == 1)
    if told:
        return Cliff(counted.layers, SLOPE, values, equations, values)
    # Beside the input a slope is sought for every output that something looks at.
    gates = counted.outputs * _looked_at(above, counted.places)
    # Layers that share the input with the first one have slopes of their own: its alone count.
    rule = first.rule
    assert isinstance(rule, Weighted)
    own = counted.channels * rule.equations
    return Cliff(counted.layers[:1], GATES, values + gates, own, values)


def _above(graph: Graph, name: str) -> Iterator[Node]:
    """The layers that a slope passes from the nearest weights above down to what a node gives."""
    for consumer in graph.consumers(name):
        yield consumer
        if not isinstance(consumer.rule, Weighted):
            yield from _above(graph, consumer.name)


def _told(graph: Graph, node: Node) -> bool:
    """Whether the layers above, once solved, tell which entries this one passed on."""
    return isinstance(node.rule, ReLU) and _solved(graph, node.name)


def _solved(graph: Graph, name: str) -> bool:
    """Whether what a node gives is the input of a layer with weights, in whatever order."""
    for consumer in graph.consumers(name):
        if isinstance(consumer.rule, Weighted) and consumer.rule.parameter is not None:
            return True
        keeps = consumer.rule is not None and len(consumer.inputs) == 1
        same = keeps and math.prod(consumer.shape) == math.prod(graph.nodes[name].shape)
        if same and not isinstance(consumer.rule, Routed) and _solved(graph, consumer.name):
            return True
    return False


def _looked_at(above: list[Node], places: int) -> int:
    """How many of a channel's outputs have a slope: those that a pooling window covers."""
    for node in above:
        if isinstance(node.rule, MaxPool):
            share = float((node.rule.windows >= 0).double().mean())
            return round(share * places)
    return places
