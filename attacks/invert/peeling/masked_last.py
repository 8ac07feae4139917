"""The layer behind the logits where some of its gradient is seen: label, slopes, features."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from attacks.invert.peeling.directions import is_positive
from attacks.invert.peeling.graph import Graph, Node
from attacks.invert.peeling.outer import Factors, split_outer
from attacks.invert.peeling.rules.linear import Linear
from attacks.invert.peeling.weights import Weights

LOOKED_AT = 32
"""Own images whose features say how long features are."""
UNLIKELY = 3.0
"""Standard deviations beyond which a length is not believed."""


def label_of(graph: Graph, node: Node, weights: Weights) -> int:
    """The class whose slope at the logits is negative, and the largest by far."""
    rule = node.rule
    assert isinstance(rule, Linear)
    gradient, mask = weights.gradient(rule), weights.mask(rule)
    seen = torch.ones_like(gradient) if mask is None else mask.to(gradient)
    if is_positive(
        graph, graph.nodes[node.inputs[0]]
    ):  # then the signs of its row are all it takes
        return int((gradient * seen).sum(1).argmin())
    return int(((gradient.square() * seen).sum(1) / seen.sum(1).clamp(min=1)).argmax())


def last_factors(last: Linear, weights: Weights, softmax: Tensor, label: int) -> Factors:
    """The slopes at the logits, and what the last layer was fed, as far as it is seen."""
    gradient, mask = weights.gradient(last), weights.mask(last)
    seen = torch.ones_like(gradient, dtype=torch.bool) if mask is None else mask
    bias = weights.gradients.get(str(last.bias))
    bias_seen = None
    if bias is not None:
        bias = bias.double()
        shown = weights.visible[str(last.bias)] if weights.visible else None
        bias_seen = torch.ones_like(bias, dtype=torch.bool) if shown is None else shown
    expected = softmax.double().clone()
    expected[label] -= 1
    return split_outer(gradient * seen, seen, expected, bias, bias_seen)


def likely_length(factors: Factors, fed: Tensor) -> Factors:
    """Features no longer and no shorter than own images', (N, D), where clipping made them so."""
    lengths = fed[:, factors.known].double().norm(dim=1).clamp(min=1e-300).log()
    found = factors.features[factors.known].norm().clamp(min=1e-300).log()
    off = float(found - lengths.mean())
    if len(lengths) < 2 or abs(off) < UNLIKELY * float(lengths.std()):
        return factors
    scale = math.exp(off)
    return factors._replace(slopes=factors.slopes * scale, features=factors.features / scale)
