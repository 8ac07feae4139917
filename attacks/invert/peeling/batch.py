"""The slopes at the logits of each example of a batch, and what the top convolution passed on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.invert.peeling.blind import fixed_points, row_space
from attacks.invert.peeling.demix import demix
from attacks.invert.peeling.flow import MIXED, Flow, Slopes
from attacks.invert.peeling.graph import Graph, Node
from attacks.invert.peeling.rules.contract import Routed
from attacks.invert.peeling.rules.convolution import Convolution
from attacks.invert.peeling.weights import Weights

PASSED = 1e-3
"""A share of the slope above this, of the root mean square, was passed on."""
ROUNDS = 3
"""Of telling slopes by what was passed on, and that by the slopes."""
EXPLAINED = 1e-2
"""Relative misfit of a bias's gradient by the slopes of the examples."""


@dataclass(frozen=True)
class Parts:
    """A batch taken apart.

    Attributes:
        slopes: (B, classes) of the loss at the logits, as they add up to the release.
        layer: name of the layer whose choice is told.
        passed: (B, *shape of its input), see `Choice`.
    """

    slopes: Tensor
    layer: str
    passed: Tensor


def take_apart(
    graph: Graph, weights: Weights, bias: Tensor, size: int, *, generator: torch.Generator
) -> Parts | str:
    """Tell the examples of a batch apart by the top convolution; or why they cannot be told.

    Its gradient's row space holds the patches of all their inputs, which `fixed_points` finds up
    to mixing and `demix` apart. Each one's share of the gradient is then what the slope at its
    logits, through open layers, leaves at the outputs that were passed on.

    Args:
        graph: of the model.
        weights: the release's.
        bias: (classes,) gradient of the last layer's bias: the sum of all slopes at the logits.
        size: of the batch, B.
        generator: of the draws.
    """
    classes = len(bias)
    every = Slopes(graph, torch.eye(classes, dtype=torch.float64, device=bias.device))
    top = top_convolution(graph, weights, every)
    if top is None:
        return "no convolution tells the examples of a batch apart"
    layer, flow = top
    rule = layer.rule
    assert isinstance(rule, Convolution)
    active = (flow.slope != 0).flatten(2).any(0).any(0)
    places, outputs = int(active.sum()) * size, len(rule.weight)
    if places > outputs:
        return f"{layer.title}: {outputs} channels do not tell {places} places apart"
    gradient = weights.gradient(rule)
    rows = row_space(gradient, places)
    if len(rows) < places:
        return f"{layer.title}: its gradient has rank {len(rows)}, too little for {places} places"
    mixed = fixed_points(rows, active, rule.geometry, size)
    if mixed is None:
        return f"{layer.title}: its inputs do not show in the row space of its gradient"
    inputs = demix(mixed.flatten(1).T, generator=generator)
    if inputs is None:
        return f"{layer.title}: its inputs could not be told apart"
    maps = inputs.T.reshape(size, -1, *rule.geometry.size)
    patches = rule.geometry.unfold(maps)[:, active].flatten(0, 1)
    shares = torch.linalg.lstsq(patches.T, gradient.flatten(1).T).solution.T
    own = shares.reshape(outputs, size, -1).transpose(0, 1)
    wanted = flow.slope.flatten(2)[:, :, active]
    directions, passed = _explain(own, wanted)
    slopes = _scale(directions, bias)
    if slopes is None:
        return f"{layer.title}: what it tells of the logits does not add up"
    leak = graph.nodes[str(flow.open)].rule.leak  # type: ignore[union-attr]
    spread = own.new_zeros(size, outputs, flow.slope[0, 0].numel())
    spread[:, :, active] = torch.where(passed, 1.0, leak).to(own)
    return Parts(slopes, str(flow.open), spread.reshape(size, *flow.slope.shape[1:]))


def top_convolution(graph: Graph, weights: Weights, slopes: Slopes) -> tuple[Node, Flow] | None:
    """The first convolution from above that lies below a layer whose choice is unknown."""
    for node in reversed(list(graph.nodes.values())):
        if not weights.told(node.rule) or not isinstance(node.rule, Convolution):
            continue
        flow = slopes.at(node.name)
        if flow is None or flow.open in (None, MIXED):
            return None
        above = graph.nodes[str(flow.open)].rule
        return (node, flow) if isinstance(above, Routed) and not above.leak else None
    return None


def _explain(shares: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """(B, classes) slopes at the logits up to a scale each, and (B, O, n) what was passed on."""
    size = shares.square().mean((1, 2), keepdim=True).sqrt()
    passed = shares.abs() > PASSED * size
    for _ in range(ROUNDS):
        slopes = torch.stack(
            [
                torch.linalg.lstsq(wanted[:, on].T, own[on][:, None]).solution[:, 0]
                for own, on in zip(shares, passed, strict=True)
            ]
        )
        told = torch.einsum("bc,con->bon", slopes, wanted)
        passed = shares / torch.where(told != 0, told, 1.0) > 0.5
    return slopes, passed


def _scale(slopes: Tensor, bias: Tensor) -> Tensor | None:
    """The slopes, each scaled so that they add up to the bias's gradient."""
    scale = torch.linalg.lstsq(slopes.T, bias[:, None]).solution
    scaled = slopes * scale
    misfit = float((scaled.sum(0) - bias).norm() / bias.norm())
    return scaled if misfit < EXPLAINED else None
