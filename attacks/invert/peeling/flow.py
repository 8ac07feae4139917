"""The slope of the loss at every layer of a graph, as far as it is known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from torch import Tensor

from attacks.invert.peeling.graph import Graph, Node
from attacks.invert.peeling.rules.contract import Routed

MIXED = "(mixed)"
"""Stands for the name of a layer where slopes of several layers in doubt have met."""


@dataclass(frozen=True)
class Choice:
    """Which entries of a routed layer's input are passed on.

    Attributes:
        passed: (B, *shape of the input) the share of the slope that each has: 1 or the leak.
        doubt: bool, entries that may be wrong; None: none is.
        closes: whether it speaks for all layers above that were open, too.
    """

    passed: Tensor
    doubt: Tensor | None = None
    closes: bool = False


@dataclass(frozen=True)
class Flow:
    """The slope at what a layer gives.

    Attributes:
        slope: (B, *shape).
        open: the lowest layer above whose choice is unknown: there the slope is what it would be
            if every entry were passed on. None: the slope is exact.
        doubt: bool, entries that may be wrong since a choice is in doubt; None: none.
        source: the layer whose choice that is.
        unsure: layers above whose choices no solved layer has confirmed.
    """

    slope: Tensor
    open: str | None = None
    doubt: Tensor | None = None
    source: str | None = None
    unsure: frozenset[str] = frozenset()


@dataclass
class Slopes:
    """Slopes of a graph, computed where asked for and kept until a choice changes.

    Attributes:
        graph: of the model.
        start: (B, classes) at the logits.
        choices: name of a routed layer -> which entries of its input it passed on.
        fed: name of a normalisation -> (B, *shape) slope at what it was fed, once that is known.
        gates: name of a max pooling -> 0 where what it gives has no slope, else 1.
        unsure: names of layers whose choice no solved layer has confirmed.
    """

    graph: Graph
    start: Tensor
    choices: dict[str, Choice] = field(default_factory=dict)
    fed: dict[str, Tensor] = field(default_factory=dict)
    gates: dict[str, Tensor] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)
    _known: dict[str, Flow | None] = field(default_factory=dict)

    def choose(self, name: str, choice: Choice) -> None:
        """Set a layer's choice; slopes at what lies upstream of it are computed anew."""
        self.choices[name] = choice
        self._forget(name)

    def feed(self, name: str, slope: Tensor) -> None:
        """Set the slope at what a normalisation was fed."""
        self.fed[name] = slope
        self._forget(name)

    def gate(self, name: str, passed: Tensor) -> None:
        """Set which windows of a max pooling have a slope."""
        self.gates[name] = passed
        self._forget(name)

    def rescale(self, factor: float) -> None:
        """Multiply all slopes."""
        self.start = self.start * factor
        self.fed = {name: slope * factor for name, slope in self.fed.items()}
        self._known.clear()

    def _forget(self, name: str) -> None:
        for known in self.graph.upstream(name):
            self._known.pop(known, None)

    def at(self, name: str) -> Flow | None:
        """The slope at what a node gives; None where a layer above has no rule."""
        if name not in self._known:
            self._known[name] = self._sum(name)
        return self._known[name]

    def _sum(self, name: str) -> Flow | None:
        if name == self.graph.logits:
            return Flow(self.start)
        parts: list[Flow | None] = []
        for consumer in self.graph.consumers(name):
            pulled = self._through(consumer)
            parts += [None if pulled is None else pulled[k] for k in _places(consumer, name)]
        known = [part for part in parts if part is not None]
        return _together(known) if known and len(known) == len(parts) else None

    def _through(self, node: Node) -> tuple[Flow, ...] | None:
        """The slopes at what a layer was fed."""
        above = self.at(node.name)
        if above is None or node.rule is None:
            return None
        if isinstance(node.rule, Routed):
            return (self._routed(node, node.rule, above),)
        if node.name in self.fed:
            return (Flow(self.fed[node.name], unsure=above.unsure),)
        pulled = node.rule.pull(above.slope)
        if pulled is None:
            return None
        if node.rule.pointwise:
            return tuple(replace(above, slope=slope) for slope in pulled)
        mixed = above.open and MIXED
        return tuple(Flow(slope, mixed, unsure=above.unsure) for slope in pulled)

    def _routed(self, node: Node, rule: Routed, above: Flow) -> Flow:
        gate = self.gates.get(node.name)
        (slope,) = rule.pull(above.slope if gate is None else above.slope * gate)
        choice = self.choices.get(node.name)
        if choice is None:
            # Choices in a row are one choice, as long as nothing but constants lies between.
            name = MIXED if above.open == MIXED else node.name
            return Flow(slope, name, unsure=above.unsure)
        return Flow(
            slope * choice.passed,
            None if choice.closes else above.open,
            choice.doubt,
            None if choice.doubt is None else node.name,
            above.unsure | ({node.name} & self.unsure),
        )


def _places(node: Node, name: str) -> Iterable[int]:
    return (k for k, fed in enumerate(node.inputs) if fed == name)


def _together(flows: list[Flow]) -> Flow:
    """The sum of the slopes that a layer has from all that it feeds."""
    total = flows[0]
    for flow in flows[1:]:
        doubts = [f.doubt for f in (total, flow) if f.doubt is not None]
        total = Flow(
            total.slope + flow.slope,
            total.open if total.open == flow.open else MIXED,
            None if not doubts else doubts[0] if len(doubts) == 1 else doubts[0] | doubts[1],
            _one_source(total.source, flow.source),
            total.unsure | flow.unsure,
        )
    return total


def _one_source(first: str | None, second: str | None) -> str | None:
    if first is None or second is None:
        return first or second
    return first if first == second else MIXED
