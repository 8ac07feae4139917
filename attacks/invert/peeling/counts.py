"""How many equations a release holds for each layer's input, and how many unknowns."""

from __future__ import annotations

import math
from dataclasses import dataclass

from attacks.invert.peeling.graph import Graph
from attacks.invert.peeling.rules.contract import Weighted
from attacks.invert.peeling.rules.convolution import Convolution


@dataclass(frozen=True)
class Count:
    """What the weight gradients of the layers that share one input say of it.

    Attributes:
        layers: titles of these layers.
        parameters: names of their weights.
        input: name of the node that feeds them.
        channels: of that input; each has a system of its own with the same matrix.
        unknowns: values per channel, all examples of the batch together.
        equations: rows per channel, when every coordinate is visible and the slope is known.
        outputs: channels of the first layer.
        places: outputs per channel of the first layer, all examples together. Where these are
            no more than ``outputs`` and the kernel is larger than one place, the input can be told
            from the gradient's row space alone.
        overlap: whether the first layer's patches overlap, without which a row space says nothing.
    """

    layers: tuple[str, ...]
    parameters: tuple[str, ...]
    input: str
    channels: int
    unknowns: int
    equations: int
    outputs: int
    places: int
    overlap: bool

    @property
    def blind(self) -> bool:
        """Whether the row space tells the input without the slope."""
        return self.overlap and self.places <= self.outputs

    @property
    def cliff(self) -> float:
        """The share of coordinates that may be dropped before equations run out; below 0: none."""
        return 1 - self.unknowns / self.equations


def count(graph: Graph, batch: int = 1) -> list[Count]:
    """The counts of a model, from the layer behind the logits downwards.

    Args:
        graph: of the model.
        batch: examples per update.
    """
    groups: dict[str, list[tuple[str, Weighted]]] = {}
    places: dict[str, int] = {}
    for node in reversed(list(graph.nodes.values())):
        if isinstance(node.rule, Weighted) and node.rule.parameter is not None:
            groups.setdefault(node.inputs[0], []).append((node.title, node.rule))
            places[node.title] = math.prod(node.shape[1:])
    found = []
    for name, layers in groups.items():
        title, first = layers[0]
        overlap = isinstance(first, Convolution) and first.geometry.taps > 1
        found.append(
            Count(
                layers=tuple(t for t, _ in layers),
                parameters=tuple(str(rule.parameter) for _, rule in layers),
                input=name,
                channels=first.weight.shape[1],
                unknowns=batch * first.unknowns,
                equations=sum(rule.equations for _, rule in layers),
                outputs=len(first.weight),
                places=batch * places[title],
                overlap=overlap,
            )
        )
    return found
