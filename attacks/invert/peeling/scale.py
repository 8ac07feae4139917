"""The scale of all that was peeled, where the last layer's bias does not tell it."""

from __future__ import annotations

from dataclasses import replace

from attacks.invert.peeling.graph import Graph
from attacks.invert.peeling.masked import MaskedPeel
from attacks.invert.peeling.onward import Loss, find_length

TOLD = 1e-4
"""A residual below which a value is right up to its length."""


def find_scale(graph: Graph, found: MaskedPeel, loss: Loss) -> tuple[MaskedPeel, int]:
    """The same with the scale told where it was not, and evaluations spent.

    Every value is right up to one common length, which the gradients above the first value that
    all goes through tell: softmax is not homogeneous.
    """
    walk = found.walk
    exact = [
        node.name
        for node in reversed(list(graph.nodes.values()))
        if walk.residuals.get(node.name, 1.0) < TOLD and graph.is_passed_by_all(node.name)
    ]
    if found.scaled or not exact:
        return found, 0
    name, weights = exact[0], walk.weights
    told = find_length(
        graph,
        loss,
        found.label,
        weights.gradients,
        weights.visible,
        name,
        walk.values[name],
    )
    if told is None or not told.certain:
        return found, 0 if told is None else told.evaluations
    walk.rescale(told.factor)
    return replace(found, scaled=True), told.evaluations
