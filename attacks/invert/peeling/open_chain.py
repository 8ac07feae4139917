"""The layers that decide which outputs of a convolution pass their slope on, run on images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from attacks.invert.matching.meter import spend
from attacks.invert.peeling.graph import Graph, Node
from attacks.invert.peeling.onward import onward
from attacks.invert.peeling.rules.contract import Routed
from attacks.invert.peeling.rules.convolution import Convolution
from attacks.invert.peeling.rules.max_pool import MaxPool
from attacks.invert.peeling.rules.relu import ReLU

CHUNK = 16
"""Images at a time: larger maps fall out of the cache."""


@dataclass(frozen=True)
class OpenChain:
    """A convolution and the layers above it up to the last one that routes.

    Attributes:
        graph: of the model.
        layer: the convolution.
        above: the layers of the chain, from below; each is fed by the one before it.
    """

    graph: Graph
    layer: Node
    above: tuple[Node, ...]

    @classmethod
    def of(cls, graph: Graph, layer: Node) -> OpenChain:
        """The chain above a convolution; empty where its output goes several ways at once."""
        found: list[Node] = []
        last, name = 0, layer.name
        while True:
            consumers = graph.consumers(name)
            rule = consumers[0].rule if len(consumers) == 1 else None
            if rule is None or not (isinstance(rule, Routed) or rule.pointwise):
                break
            node = consumers[0]
            found.append(node)
            name = node.name
            if isinstance(node.rule, Routed):
                last = len(found)
        return cls(graph, layer, tuple(found[:last]))

    @property
    def windows(self) -> Tensor | None:
        """(Q,) the pooling window of each output, -1 for none; None without a pooling."""
        pools = [n.rule for n in self.above if isinstance(n.rule, MaxPool)]
        return pools[0].windows if len(pools) == 1 else None

    @property
    def pools(self) -> bool:
        """Whether a pooling chooses among outputs."""
        return any(isinstance(node.rule, MaxPool) for node in self.above)

    @property
    def closes(self) -> bool:
        """Whether nothing that is negative comes through."""
        return any(isinstance(node.rule, ReLU) for node in self.above)

    @property
    def deciding(self) -> str:
        """Name of the node whose values decide on the gates: what feeds the first choice."""
        at = next(i for i, node in enumerate(self.above) if isinstance(node.rule, Routed))
        return self.above[at - 1].name if at else self.layer.name

    @property
    def weight(self) -> Tensor:
        """(O, I, h, w) of the convolution."""
        assert isinstance(self.layer.rule, Convolution)
        return self.layer.rule.weight

    @cached_property
    def scales(self) -> Tensor:
        """(O, Q) by how much what comes through an open gate grows with an output."""
        return self._pull(torch.ones(1, *self.above[-1].shape, dtype=torch.float64))[0].flatten(1)

    def observe(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """What the convolution is fed, and its gates, for images (N, C, H, W).

        Returns:
            Inputs (N, I, P) and gates (N, O, Q), float32: the share of the slope at the end of
            the chain that comes through, beside what comes through where everything is open.
        """
        names = [self.layer.inputs[0], self.layer.name, self.above[-1].name]
        run = self.graph.upto(names, torch.float32)
        whole = self._pull(torch.ones(1, *self.above[-1].shape, dtype=torch.float64))[0]
        inputs, gates = [], []
        spend(len(images))
        for some in images.split(CHUNK):
            fed, output, top = run(some.clone().requires_grad_())
            (slope,) = torch.autograd.grad(top.sum(), output)
            inputs.append(fed.detach().flatten(2))
            gates.append((slope / whole.to(slope)).nan_to_num(0, 0, 0).flatten(2))
        return torch.cat(inputs), torch.cat(gates)

    def gates_of(self) -> Callable[[Tensor], Tensor] | None:
        """Input (I, P) -> gates (O, Q), float64; None where something else has a say in them."""
        if any(len(node.inputs) > 1 for node in self.above):
            return None
        given = self.layer.name, self.above[-1].name
        part = onward(self.graph, self.layer.inputs[0], given).requires_grad_(False)
        whole = self._pull(torch.ones(1, *self.above[-1].shape, dtype=torch.float64))[0]
        shape = self.graph.nodes[self.layer.inputs[0]].shape

        def gates(inputs: Tensor) -> Tensor:
            maps = inputs.reshape(1, *shape).detach().double().requires_grad_()
            output, top = part(maps)
            slope: Tensor = torch.autograd.grad(top.sum(), output)[0]
            return (slope[0] / whole.to(slope)).nan_to_num(0, 0, 0).flatten(1)

        return gates

    def _pull(self, slope: Tensor) -> Tensor:
        """A slope at the end of the chain, pulled down to the convolution with all gates open."""
        name = self.above[-1].name
        for node, below in zip(
            reversed(self.above), [*reversed(self.above[:-1]), self.layer], strict=True
        ):
            assert node.rule is not None and node.name == name
            slope = (node.rule.pull(slope) or ())[node.inputs.index(below.name)]
            name = below.name
        return slope
