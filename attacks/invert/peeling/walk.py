"""From the logits down to the image: what each layer was fed, one layer after the other."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from attacks.invert.matching.clock import Clock
from attacks.invert.peeling.bits import LADDER, by_largest, by_sign
from attacks.invert.peeling.blind import TopStep, blind_top
from attacks.invert.peeling.doubts import settle_doubts
from attacks.invert.peeling.flow import MIXED, Choice, Flow, Slopes
from attacks.invert.peeling.gather import Stop, solve_input
from attacks.invert.peeling.graph import Graph, Node
from attacks.invert.peeling.rules.contract import Routed
from attacks.invert.peeling.rules.convolution import Convolution
from attacks.invert.peeling.rules.max_pool import MaxPool
from attacks.invert.peeling.rules.relu import ReLU
from attacks.invert.peeling.solve import Solution
from attacks.invert.peeling.unnorm import unnorm
from attacks.invert.peeling.weights import Weights

CONFIRMED = 1e-6
"""A residual below this is float32's: every choice above was right."""
ACCEPTED = 1e-3
"""A residual above this is of a wrong choice: what was found is dropped."""


@dataclass
class Walk:
    """A walk down a graph, as in R-GAP (Zhu and Blaschko 2021), for networks with ReLU and pooling.

    Attributes:
        graph: of the model.
        weights: what the release says.
        slopes: at every layer, from that at the logits.
        top: finds which entries are passed on where nothing above tells it.
        clock: ends the walk early.
        given: names of nodes that are not solved for: as much of them is known as can be.
        values: name of a node -> what it gave, (B, *shape) float64.
        rough: name of a node -> what it gave, (B, *shape) float64, where too much of a gradient
            was left unexplained.
        residuals: name of a node -> relative residual of the system that told its value.
        solved: names of nodes whose values follow from slopes alone, not from other values.
        stop: the first layer whose input was not told, and why; None: the image was reached.
    """

    graph: Graph
    weights: Weights
    slopes: Slopes
    top: TopStep = blind_top
    clock: Clock = field(default_factory=Clock)
    given: frozenset[str] = frozenset()
    values: dict[str, Tensor] = field(default_factory=dict)
    rough: dict[str, Tensor] = field(default_factory=dict)
    residuals: dict[str, float] = field(default_factory=dict)
    solved: set[str] = field(default_factory=set)
    stop: Stop | None = None

    def run(self) -> None:
        """Walk down as far as it goes."""
        for node in reversed(list(self.graph.nodes.values())):
            if self.clock.over:
                self.stop = self.stop or Stop(node.title, "the time was up")
                return
            if node.name not in self.given and not self._lift(node):
                self._solve(node)
            if node.name in self.values:
                self._choose(node)

    def rescale(self, factor: float) -> None:
        """Make all values longer by a factor, and all slopes shorter, once the walk is done.

        A gradient is a product of the two, and says nothing of it. What was lifted through layers
        that add a constant is lifted anew.
        """
        before, kept = self.values, self.solved | self.given
        self.values = {name: before[name] * factor for name in before if name in kept}
        self.rough = {name: value * factor for name, value in self.rough.items()}
        self.slopes.rescale(1 / factor)
        for node in reversed(list(self.graph.nodes.values())):
            if node.name in before and node.name not in kept:
                self._lift(node)

    def _lift(self, node: Node) -> bool:
        """Whether the value of a layer that it feeds tells what it gave."""
        for consumer in self.graph.consumers(node.name):
            value = self.values.get(consumer.name)
            lifted = None if value is None or not consumer.rule else consumer.rule.lift(value)
            if lifted is not None:
                self.values[node.name] = lifted[consumer.inputs.index(node.name)]
                self.residuals[node.name] = self.residuals[consumer.name]
                return True
        return False

    def _solve(self, node: Node) -> None:
        """What the weights of the layers that it feeds say of what it gave."""
        layers = [c for c in self.graph.consumers(node.name) if self.weights.told(c.rule)]
        if not layers:
            return
        if len(layers) == 1 and self._through_norm(node, layers[0]):
            return
        for layer in layers:
            self._open(layer)
        told = self._climb(layers)
        if isinstance(told, Stop):
            self.stop = self.stop or told
            return
        batch, channels = len(self.slopes.start), told.found.shape[1]
        value = told.found.reshape(batch, -1, channels).transpose(1, 2).reshape(batch, *node.shape)
        if told.residual > ACCEPTED:
            left = f"{told.residual:.1e} of its weight's gradient is left unexplained"
            self.stop = self.stop or Stop(layers[0].title, left)
            self.rough[node.name] = value
            return
        self.values[node.name], self.residuals[node.name] = value, told.residual
        self.solved.add(node.name)
        for layer in layers:
            settle_doubts(layer, value, self.slopes, self.weights)

    def _through_norm(self, node: Node, layer: Node) -> bool:
        """Whether group normalisation follows a layer, and what it gave was asked for its input."""
        told = unnorm(self.graph, layer, self.values, self.slopes, self.weights, self.clock)
        if told is None:
            return False
        if isinstance(told, str):
            self.stop = self.stop or Stop(layer.title, told)
        elif told.residual > ACCEPTED:
            left = f"{told.residual:.1e} of its weight's gradient is left unexplained"
            self.stop = self.stop or Stop(layer.title, left)
        else:
            self.values[node.name], self.residuals[node.name] = told.fed, told.residual
            self.solved.add(node.name)
            self.slopes.feed(self.graph.consumers(layer.name)[0].name, told.slope)
        return True

    def _open(self, layer: Node) -> None:
        """Find what the layers above passed on, where only the gradient of this one tells it."""
        flow, rule = self.slopes.at(layer.name), layer.rule
        if flow is None or flow.open in (None, MIXED) or not isinstance(rule, Convolution):
            return
        above = self.graph.nodes[str(flow.open)].rule
        found = self.top(
            self.weights.gradient(rule),
            self.weights.mask(rule),
            flow.slope,
            rule.geometry,
            above.leak if isinstance(above, Routed) else 0.0,
        )
        if found.residual <= ACCEPTED:
            self.slopes.choose(str(flow.open), Choice(found.chosen, closes=True))
        else:
            self.stop = self.stop or Stop(layer.title, found.reason)

    def _choose(self, node: Node) -> None:
        """What a value says of the entries that the layer which gave it has passed on."""
        value, rule = self.values[node.name], node.rule
        if isinstance(rule, MaxPool):
            fed = self.graph.nodes[node.inputs[0]].rule
            # A window whose largest entry is 0 passes its slope to a ReLU that is off.
            if isinstance(fed, ReLU) and not fed.leak:
                self.slopes.gate(node.name, by_largest(value)[0].to(value))
        elif isinstance(rule, ReLU) and node.name not in self.slopes.choices:
            self.slopes.unsure.add(node.name)
            self._read_bits(node.name, 0)

    def _read_bits(self, name: str, turn: int) -> None:
        """The choice of a ReLU by one rule of the ladder."""
        rule, value = self.graph.nodes[name].rule, self.values[name]
        assert isinstance(rule, ReLU)
        passed, doubt = by_sign(value) if rule.leak else LADDER[turn](value)
        shares = passed.to(value) * (1 - rule.leak) + rule.leak
        self.slopes.choose(name, Choice(shares, doubt if bool(doubt.any()) else None))

    def _climb(self, layers: list[Node]) -> Solution | Stop:
        """The solution under the rule of the ladder that explains the gradients best.

        Right choices leave float32's residual behind, a single wrong one a thousand times more.
        """
        best: Solution | None = None
        kept: dict[str, Choice] = {}
        flows: list[Flow | None] = [self.slopes.at(layer.name) for layer in layers]
        above = {name for flow in flows if flow is not None for name in flow.unsure}
        unsure = sorted(above & self.slopes.unsure)
        for turn in range(len(LADDER) if unsure else 1):
            for name in unsure if turn else ():
                self._read_bits(name, turn)
            solution = solve_input(layers, self.slopes, self.weights)
            if isinstance(solution, Stop):
                return best or solution
            if best is None or solution.residual < best.residual:
                best, kept = solution, {name: self.slopes.choices[name] for name in unsure}
            if best.residual < CONFIRMED or self.clock.over:
                break
        assert best is not None
        for name, choice in kept.items():
            if self.slopes.choices[name] is not choice:
                self.slopes.choose(name, choice)
        self.slopes.unsure.difference_update(unsure)
        return best
