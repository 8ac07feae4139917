"""Settles which entries a ReLU passed on where its output alone leaves that in doubt."""

from __future__ import annotations

import torch
from torch import Tensor

from attacks.invert.peeling.flow import MIXED, Choice, Slopes
from attacks.invert.peeling.graph import Node
from attacks.invert.peeling.rules.contract import Routed, Weighted
from attacks.invert.peeling.rules.convolution import Convolution
from attacks.invert.peeling.solve import solve
from attacks.invert.peeling.weights import Weights


def settle_doubts(layer: Node, fed: Tensor, slopes: Slopes, weights: Weights) -> None:
    """Decide entries in doubt by the rows of a gradient that were left out of its system.

    Once a layer's input is known, its weight's gradient tells the slope at its output, row by row;
    an entry in doubt is the one of its two slopes that is nearer.

    Args:
        layer: weighted.
        fed: (B, *shape) what it was fed.
        slopes: at every layer; the choice in doubt is settled in it.
        weights: the release's.
    """
    flow, rule = slopes.at(layer.name), layer.rule
    if flow is None or flow.doubt is None or flow.source is None or flow.source == MIXED:
        return
    above = slopes.graph.nodes[flow.source].rule
    assert isinstance(rule, Weighted) and isinstance(above, Routed)
    fitted = _fitted_slope(rule, fed, flow.slope, weights)
    choice = slopes.choices[flow.source]
    doubt = choice.doubt
    if doubt is None or fitted is None:
        return

    def slope_with(share: float) -> Tensor:
        passed = torch.where(doubt, share, choice.passed)
        slopes.choose(str(flow.source), Choice(passed, doubt, choice.closes))
        found = slopes.at(layer.name)
        assert found is not None
        return found.slope

    without, with_all = slope_with(above.leak), slope_with(1.0)
    gap = with_all - without
    share = (fitted - without) / torch.where(gap != 0, gap, 1.0)
    on = torch.where((gap != 0) & (share > 0.5), 1.0, above.leak).to(fitted)
    passed = torch.where(doubt, on.reshape(doubt.shape), choice.passed)
    slopes.choose(flow.source, Choice(passed, None, choice.closes))


def _fitted_slope(rule: Weighted, fed: Tensor, slope: Tensor, weights: Weights) -> Tensor | None:
    """(B, *shape) the slope at a layer's output that explains its gradient best."""
    gradient = weights.gradient(rule).flatten(1)
    rows = rule.geometry.unfold(fed).flatten(0, 1) if isinstance(rule, Convolution) else fed
    if len(rows) > rows.shape[1]:
        return None
    mask = weights.mask(rule)
    seen = None if mask is None else mask.flatten(1).T
    found = solve(rows.T, gradient.T if seen is None else gradient.T * seen, seen).found
    return found.T.reshape(len(gradient), len(slope), -1).transpose(0, 1).reshape(slope.shape)
