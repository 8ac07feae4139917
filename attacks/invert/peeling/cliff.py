"""At which drop rate each layer's equations run out, and with them the picture."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from attacks.invert.peeling.counts import Count, count
from attacks.invert.peeling.expected import enough, rate_of, reached
from attacks.invert.peeling.graph import Graph, Node
from attacks.invert.peeling.rules.contract import Routed, Weighted
from attacks.invert.peeling.rules.identity import Identity
from attacks.invert.peeling.rules.linear import Linear
from attacks.invert.peeling.rules.max_pool import MaxPool
from attacks.invert.peeling.rules.relu import ReLU
from attacks.invert.peeling.rules.reshape import Reshape

OUTER = "outer product"
GATES = "gates too"
SLOPE = "slope known"


@dataclass(frozen=True)
class Cliff:
    """Unknowns and equations of the input of some layers, all channels and examples together.

    Attributes:
        layers: titles of the layers whose weights' gradients hold the equations.
        kind: what is unknown. `OUTER`: a linear layer of one example, its input and the slopes at
            its output. `GATES`: the input, and which outputs of the first layer pass their slope
            on. `SLOPE`: the input alone.
        unknowns: numbers that are sought.
        equations: numbers that a release without a mask gives.
        values: how many of the unknowns are the layer's input.
        told: whether equations can tell the unknowns at all. The last layer's gradient of a batch
            is a sum of outer products, the same for every mixing of the examples.
        rows: of an outer product: outputs whose slope is not 0. Of weights that are symmetric
            around 0, as before training, a ReLU passes on half.
        channels: of `SLOPE`: systems with an unknown share of the input each, all alike.
        parts: of each of these, (unknowns, equations) of what it falls into; see `Count`.
        pixels: whether the input is the picture itself, each pixel scaled by itself.
    """

    layers: tuple[str, ...]
    kind: str
    unknowns: int
    equations: int
    values: int
    told: bool = True
    rows: int = 0
    channels: int = 1
    parts: tuple[tuple[int, int], ...] = ()
    pixels: bool = False

    @property
    def rate(self) -> float:
        """The share of coordinates that may be dropped before equations run out; 0 when at once.

        By the mean: as many equations are expected to be left as there are unknowns.
        """
        return max(0.0, 1 - self.unknowns / self.equations) if self.told else 0.0

    def left(self, rate: float) -> int:
        """Equations that are expected at a drop rate."""
        return round((1 - rate) * self.equations)

    def share(self, rate: float) -> float:
        """Share of the input's values that are expected to be told, the slopes above known."""
        if not self.told:
            return 0.0
        if self.kind == OUTER:
            return reached(self.rows, self.values, rate)
        if self.kind == GATES:
            return enough(self.unknowns, self.equations, rate)
        total = sum(u for u, _ in self.parts)
        return sum(u * enough(u, e, rate) for u, e in self.parts) / total

    def whole(self, rate: float) -> float:
        """Chance that all of it is told, so that the slope below is known."""
        if self.kind != SLOPE:
            return self.share(rate)
        return math.prod(enough(u, e, rate) for u, e in self.parts) ** self.channels

    @property
    def falls(self) -> tuple[float, float]:
        """The drop rates at which one value is expected to be missing, and half of them."""
        least = (1 - 1 / self.values, 0.5)
        return rate_of(self.share, least[0]), rate_of(self.share, least[1])


@dataclass(frozen=True)
class Picture:
    """What the layers together say of a picture.

    Attributes:
        layers: see `cliffs`.
        pixels: values of all pictures of the batch.
    """

    layers: tuple[Cliff, ...]
    pixels: int

    def share(self, rate: float) -> float:
        """Expected share of a layer that says as much as the picture; of the best of them."""
        return max((told for _, told in self._told(rate)), default=0.0)

    @property
    def falls(self) -> tuple[float, float] | None:
        """The drop rates at which one value is expected to be missing, and half of them.

        None where no layer that can be solved is that large: then only the whole update can tell.
        """
        if self.share(0.0) < 0.5:
            return None
        return rate_of(self.share, 1 - 1 / self.pixels), rate_of(self.share, 0.5)

    def seen(self, rate: float) -> float:
        """Expected share of the pixels that a layer which is fed with them tells by itself."""
        return max((told for layer, told in self._told(rate) if layer.pixels), default=0.0)

    def gain(self, rate: float) -> float:
        """How far above a guess of the missing pixels the PSNR is expected to be, in dB.

        Infinite where less than one of them is expected to be missing.
        """
        missing = 1 - self.seen(rate)
        return math.inf if missing * self.pixels < 1 else -10 * math.log10(missing)

    def _told(self, rate: float) -> Iterator[tuple[Cliff, float]]:
        """Layers that say as much as the picture, and the share of each that is told.

        A layer can be solved only below those above it; a linear one of one example is no
        obstacle, whose slopes survive every mask.
        """
        above = 1.0
        for layer in self.layers:
            if layer.values >= self.pixels:
                yield layer, above * layer.share(rate)
            if layer.kind != OUTER:
                above *= layer.whole(rate)


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


def whole(coordinates: int, pixels: int) -> float:
    """The drop rate at which an update has as many coordinates left as the pictures have pixels."""
    return max(0.0, 1 - pixels / coordinates)


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
