"""How many equations a release holds for each layer's input, and how many unknowns."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

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
        parts: (unknowns, equations) of the parts into which a channel's system falls, for no
            equation is about two of them: a stride sends each place to some of the taps alone.
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
    parts: tuple[tuple[int, int], ...]

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
                parts=tuple((batch * u, e) for u, e in _parts([rule for _, rule in layers])),
            )
        )
    return found


def _parts(rules: list[Weighted]) -> list[tuple[int, int]]:
    """(unknowns, equations) of the parts of one example's system, places without a tap among them.

    Places and taps hang together where a tap sees the place at some output.
    """
    if not all(isinstance(rule, Convolution) for rule in rules):
        return [(rules[0].unknowns, sum(rule.equations for rule in rules))]
    places, first = rules[0].unknowns, rules[0].unknowns
    weight = [0] * places
    joined: list[np.ndarray[tuple[int, int], np.dtype[np.int64]]] = []
    for rule in rules:
        assert isinstance(rule, Convolution)
        seen = rule.geometry.seen().cpu().numpy()
        taps = np.broadcast_to(first + np.arange(seen.shape[1]), seen.shape)
        joined.append(np.stack([seen[seen < places], taps[seen < places]]))
        first += rule.geometry.taps
        weight += [len(rule.weight)] * rule.geometry.taps
    here, there = np.concatenate(joined, axis=1)
    # Of 32 bits: what scipy before 1.12 joins by takes no others.
    ends = here.astype(np.int32), there.astype(np.int32)
    edges = coo_array((np.ones(len(here)), ends), shape=(first, first))
    count, owner = connected_components(edges, directed=False)
    unknowns = np.bincount(owner[:places], minlength=count)
    equations = np.bincount(owner, weights=weight, minlength=count)
    return [(int(u), int(e)) for u, e in zip(unknowns, equations, strict=True) if u]
