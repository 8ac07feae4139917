"""From the logits down to the image: what each layer was fed, one layer after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from attacks.invert.clock import Clock
from attacks.invert.peeling.bits import LADDER, by_largest, by_sign
from attacks.invert.peeling.blind import Top, TopStep, blind_top
from attacks.invert.peeling.flow import MIXED, Choice, Flow, Slopes
from attacks.invert.peeling.graph import Graph, Node
from attacks.invert.peeling.rules.contract import Routed, Weighted
from attacks.invert.peeling.rules.convolution import Convolution
from attacks.invert.peeling.rules.max_pool import MaxPool
from attacks.invert.peeling.rules.relu import ReLU
from attacks.invert.peeling.solve import Solution, solve

CONFIRMED = 1e-6
"""A residual below this is float32's: every choice above was right."""
ACCEPTED = 1e-3
"""A residual above this is of a wrong choice: what was found is dropped."""
SPARE = 1.4
"""Equations per unknown that are left when rows in doubt are."""
MOST_DOUBT = 0.8
"""Share of a layer's channels that may be left out of a system."""


@dataclass(frozen=True)
class Stop:
    """Why the walk ended above the image.

    Attributes:
        layer: title of the first layer whose input was not found.
        reason: in one line.
    """

    layer: str
    reason: str


@dataclass
class Walk:
    """A walk down a graph.

    Attributes:
        graph: of the model.
        gradients: name of a weight -> its gradient in the release.
        slopes: at every layer; its ``start`` is the slope at the logits.
        visible: name of a weight -> bool, True where the release shows it; None: everywhere.
        top: what is done where entries in doubt are passed on.
        clock: ends the walk early.
        values: name of a node -> what it gave, (B, *shape) float64.
        residuals: name of a node -> relative residual of the system that told its value.
        stop: see `Stop`; None where the image was reached.
    """

    graph: Graph
    gradients: Mapping[str, Tensor]
    slopes: Slopes
    visible: Mapping[str, Tensor] | None = None
    top: TopStep = blind_top
    clock: Clock = field(default_factory=Clock)
    values: dict[str, Tensor] = field(default_factory=dict)
    residuals: dict[str, float] = field(default_factory=dict)
    stop: Stop | None = None

    def run(self) -> None:
        """Walk down as far as it goes; see `values` and `stop` afterwards."""
        for node in reversed(list(self.graph.nodes.values())):
            if self.clock.over:
                self.stop = self.stop or Stop(node.title, "the time was up")
                return
            if not self._lift(node):
                self._solve(node)
            if node.name in self.values:
                self._choose(node)

    def _lift(self, node: Node) -> bool:
        """Whether what it feeds tells what it gave."""
        for consumer in self.graph.consumers(node.name):
            value = self.values.get(consumer.name)
            if value is None or consumer.rule is None or len(consumer.inputs) > 1:
                continue
            lifted = consumer.rule.lift(value)
            if lifted is not None:
                self.values[node.name] = lifted
                self.residuals[node.name] = self.residuals[consumer.name]
                return True
        return False

    def _choose(self, node: Node) -> None:
        """What a known value says of the choices of the layer that gave it."""
        value, rule = self.values[node.name], node.rule
        if isinstance(rule, MaxPool):
            fed = self.graph.nodes[node.inputs[0]].rule
            if isinstance(fed, ReLU) and not fed.leak:
                self.slopes.gates[node.name] = by_largest(value)[0].to(value)
        elif isinstance(rule, ReLU) and node.name not in self.slopes.choices:
            self._set(node.name, 0)
            self.slopes.unsure.add(node.name)
        self.slopes.forget()

    def _set(self, name: str, turn: int) -> None:
        """The choice of a ReLU by one of the ladder's rules; entries in doubt count as passed."""
        rule, value = self.graph.nodes[name].rule, self.values[name]
        assert isinstance(rule, ReLU)
        passed, doubt = by_sign(value) if rule.leak else LADDER[turn](value)
        shares = (passed | doubt).to(value) * (1 - rule.leak) + rule.leak
        self.slopes.choices[name] = Choice(shares, doubt if bool(doubt.any()) else None)
        self.slopes.forget()

    def _solve(self, node: Node) -> None:
        """What the weights of the layers that it feeds say of what it gave."""
        layers = [
            consumer
            for consumer in self.graph.consumers(node.name)
            if isinstance(consumer.rule, Weighted) and consumer.rule.parameter in self.gradients
        ]
        if not layers:
            return
        for layer in layers:
            flow = self.slopes.at(layer.name)
            if flow is not None and flow.open not in (None, MIXED):
                self._open(layer, flow)
        told = self._by_ladder(layers)
        if isinstance(told, Stop):
            self.stop = self.stop or told
            return
        found, residual = told
        if residual > ACCEPTED:
            reason = f"{residual:.1e} of its weight's gradient is left unexplained"
            self.stop = self.stop or Stop(layers[0].title, reason)
            return
        batch = len(self.slopes.start)
        self.values[node.name] = (
            found.reshape(batch, -1, found.shape[1]).transpose(1, 2).reshape(batch, *node.shape)
        )
        self.residuals[node.name] = residual
        for layer in layers:
            self._decide(layer, self.values[node.name])

    def _open(self, layer: Node, flow: Flow) -> None:
        """Find the choice of the layer above by the top step."""
        rule = layer.rule
        alone = len(flow.slope) == 1
        if not isinstance(rule, Convolution) or rule.parameter is None or not alone:
            return
        above = self.graph.nodes[str(flow.open)].rule
        found: Top = self.top(
            self._gradient(rule),
            self._visible(rule),
            flow.slope[0],
            rule.geometry,
            above.leak if isinstance(above, Routed) else 0.0,
        )
        if found.residual > ACCEPTED:
            return
        self.slopes.choices[str(flow.open)] = Choice(found.chosen[None], closes=True)
        self.slopes.forget()

    def _by_ladder(self, layers: list[Node]) -> tuple[Tensor, float] | Stop:
        """The solution whose choices above explain the gradients best."""
        best: tuple[Tensor, float] | None = None
        kept: dict[str, Choice] = {}
        flows = [self.slopes.at(layer.name) for layer in layers]
        unsure = sorted(frozenset().union(*(f.unsure for f in flows if f is not None)))
        for turn in range(len(LADDER) if unsure else 1):
            if turn:
                for name in unsure:
                    self._set(name, turn)
            solution = self._system(layers)
            if isinstance(solution, Stop):
                return solution
            if best is None or solution.residual < best[1]:
                best = solution.found, solution.residual
                kept = {name: self.slopes.choices[name] for name in unsure}
            if best[1] < CONFIRMED or self.clock.over:
                break
        assert best is not None
        self.slopes.choices.update(kept)
        if best[1] < ACCEPTED:
            self.slopes.unsure.difference_update(unsure)
        self.slopes.forget()
        return best

    def _system(self, layers: list[Node]) -> Solution | Stop:
        """All equations that the gradients of these layers hold for what feeds them."""
        parts: list[tuple[Tensor, Tensor, Tensor | None]] = []
        needed = SPARE * layers[0].rule.unknowns * len(self.slopes.start)  # type: ignore[union-attr]
        reason = "no rule covers a layer above it"
        for layer in layers:
            rule, flow = layer.rule, self.slopes.at(layer.name)
            assert isinstance(rule, Weighted)
            if flow is not None and flow.open is not None:
                reason = "which entries are passed on above it could not be told"
            if flow is None or flow.open is not None:
                continue
            matrix, right = rule.system(flow.slope), rule.right(self._gradient(rule))
            mask = self._visible(rule)
            seen = None if mask is None else rule.right(mask)
            if flow.doubt is not None:
                sure = ~flow.doubt.flatten(2).any(2).any(0) if flow.doubt.ndim > 2 else ~flow.doubt.any(0)
                keep = sure.repeat_interleave(len(matrix) // len(sure))
                if float(sure.double().mean()) >= 1 - MOST_DOUBT and int(keep.sum()) >= needed:
                    matrix, right = matrix[keep], right[keep]
                    seen = None if seen is None else seen[keep]
            parts.append((matrix, right, seen))
        if not parts:
            return Stop(layers[0].title, reason)
        matrix = torch.cat([m for m, _, _ in parts])
        right = torch.cat([r for _, r, _ in parts])
        masks = [torch.ones_like(r, dtype=torch.bool) if s is None else s for _, r, s in parts]
        seen = torch.cat(masks) if any(s is not None for _, _, s in parts) else None
        rows = len(matrix) if seen is None else int(seen.sum(0).min())
        unknowns = matrix.shape[1]
        told = f"{rows} equations hold {unknowns} unknowns per channel"
        if rows < unknowns:
            return Stop(layers[0].title, told)
        solution = solve(matrix, right, seen)
        if solution.condition > SINGULAR:
            return Stop(layers[0].title, f"{told} and leave some of them open")
        return solution

    def _decide(self, layer: Node, fed: Tensor) -> None:
        """Settle entries in doubt by the rows of the gradient that were left out."""
        flow, rule = self.slopes.at(layer.name), layer.rule
        if flow is None or flow.doubt is None or flow.source in (None, MIXED):
            return
        name = str(flow.source)
        choice, leak = self.slopes.choices[name], self.graph.nodes[name].rule.leak  # type: ignore[union-attr]
        doubt = choice.doubt
        assert doubt is not None and isinstance(rule, Weighted)
        without = Choice(torch.where(doubt, leak, choice.passed), doubt)
        with_all = flow.slope
        self.slopes.choices[name] = without
        self.slopes.forget()
        low = self.slopes.at(layer.name)
        assert low is not None
        fitted = self._fitted(rule, fed, with_all)
        gap = with_all - low.slope
        share = torch.where(gap != 0, (fitted - low.slope) / torch.where(gap != 0, gap, 1.0), 0.0)
        passed = torch.where(doubt, torch.where(share > 0.5, 1.0, leak), choice.passed)
        self.slopes.choices[name] = Choice(passed)
        self.slopes.forget()

    def _fitted(self, rule: Weighted, fed: Tensor, slope: Tensor) -> Tensor:
        """The slope that explains a weight's gradient best, given what its layer was fed."""
        gradient = self._gradient(rule).flatten(1)
        rows = rule.geometry.unfold(fed).flatten(0, 1) if isinstance(rule, Convolution) else fed
        mask = self._visible(rule)
        if len(rows) > rows.shape[1]:
            return slope
        right = gradient.T if mask is None else (gradient * mask.flatten(1)).T
        found = solve(rows.T, right, None if mask is None else mask.flatten(1).T).found
        batch = len(slope)
        return found.T.reshape(len(gradient), batch, -1).transpose(0, 1).reshape(slope.shape)

    def _gradient(self, rule: Weighted) -> Tensor:
        return self.gradients[str(rule.parameter)].double()

    def _visible(self, rule: Weighted) -> Tensor | None:
        if self.visible is None:
            return None
        mask = self.visible[str(rule.parameter)]
        return None if bool(mask.all()) else mask


SINGULAR = 1e7
"""A condition above this makes float32's errors as large as what is sought."""
