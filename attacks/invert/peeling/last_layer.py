"""The layer behind the logits, where a walk begins."""

from __future__ import annotations

from attacks.invert.peeling.directions import readable_directions
from attacks.invert.peeling.graph import Graph, Node
from attacks.invert.peeling.rules.contract import Weighted
from attacks.invert.peeling.rules.group_norm import GroupNorm
from attacks.invert.peeling.rules.linear import Linear


def refusal(graph: Graph) -> str:
    """Why a graph cannot be peeled at all, in one line that names a layer; empty when it can.

    Some layer below the last one must have a weight whose gradient may be read: a walk is of use
    as soon as it passes one, and a convolution may tell its input without one.
    """
    last = graph.nodes[graph.logits]
    if not isinstance(last.rule, Linear):
        return last.missing or f"{last.title}: the logits do not come from a linear layer"
    if last.rule.parameter is None or last.rule.bias is None:
        return f"{last.title}: the layer behind the logits has no trained weight and bias"
    waiting = [graph.nodes[name] for name in last.inputs]
    while waiting:
        node = waiting.pop(0)
        if node.missing:
            return "" if readable_directions(graph) else node.missing
        if node.name == graph.image or isinstance(node.rule, Weighted):
            return ""
        waiting += [graph.nodes[name] for name in node.inputs]
    return ""


def obstacle(graph: Graph) -> str:
    """What keeps a walk from the first weight below the logits, in one line; empty: nothing does.

    What lies below may still tell itself by row spaces, where it is small enough.
    """
    waiting = [graph.nodes[name] for name in graph.nodes[graph.logits].inputs]
    while waiting:
        node = waiting.pop(0)
        if node.missing:
            return node.missing
        if isinstance(node.rule, GroupNorm):
            return f"{node.title}: group normalisation above the first weight is not passed"
        if node.name != graph.image and not isinstance(node.rule, Weighted):
            waiting += [graph.nodes[name] for name in node.inputs]
    return ""


def last_linear(graph: Graph) -> tuple[Node, Linear]:
    """The node of the logits and its rule, of a graph that is not refused."""
    node = graph.nodes[graph.logits]
    assert isinstance(node.rule, Linear)
    return node, node.rule
