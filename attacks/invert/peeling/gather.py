"""All equations that a release holds for what several layers were fed in common."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.invert.peeling.flow import Flow, Slopes
from attacks.invert.peeling.graph import Node
from attacks.invert.peeling.rules.contract import Weighted
from attacks.invert.peeling.rules.group_norm import GroupNorm
from attacks.invert.peeling.solve import Solution, solve
from attacks.invert.peeling.weights import Weights

SPARE = 1.4
"""Equations per unknown that must be left of a mask, or when rows in doubt are left out."""
MOST_DOUBT = 0.8
"""Share of a layer's channels that may be left out."""
SINGULAR = 1e7
"""A condition above this makes float32's errors as large as what is sought."""

RANDOM = 1e4
"""The same under a mask, where normal equations square it and a ridge hides the rest."""


@dataclass(frozen=True)
class Stop:
    """Why a layer's input cannot be told.

    Attributes:
        layer: title of the layer.
        reason: in one line.
    """

    layer: str
    reason: str


def solve_input(layers: list[Node], slopes: Slopes, weights: Weights) -> Solution | Stop:
    """What these layers were fed, one column per channel; or why that cannot be told.

    Args:
        layers: weighted, all fed by one node: a strided block's shortcut adds its rows to those
            of the convolution beside it.
        slopes: at every layer.
        weights: the release's.
    """
    parts: list[tuple[Tensor, Tensor, Tensor | None]] = []
    reason = _missing(layers[0], slopes)
    for layer in layers:
        flow, rule = slopes.at(layer.name), layer.rule
        assert isinstance(rule, Weighted)
        if flow is not None and flow.open is not None:
            reason = "which entries are passed on above it could not be told"
        elif flow is not None:
            parts.append(_rows(rule, flow, weights))
    if not parts:
        return Stop(layers[0].title, reason)
    matrix = torch.cat([m for m, _, _ in parts])
    right = torch.cat([r for _, r, _ in parts])
    seen = None
    if any(s is not None for _, _, s in parts):
        seen = torch.cat(
            [torch.ones_like(r, dtype=torch.bool) if s is None else s for _, r, s in parts]
        )
    rows = len(matrix) if seen is None else int(seen.sum(0).min())
    told = f"{rows} equations for {matrix.shape[1]} unknowns per channel"
    # Rows that a mask leaves are few and random: nearly square systems are nearly singular.
    if rows < matrix.shape[1] * (1 if seen is None else SPARE):
        return Stop(layers[0].title, told)
    solution = solve(matrix, right, seen)
    sound = solution.condition <= (SINGULAR if seen is None else RANDOM)
    if not sound or not bool(torch.isfinite(solution.found).all()):
        return Stop(layers[0].title, f"{told} leave some of them open")
    return solution


def _missing(layer: Node, slopes: Slopes) -> str:
    """Why the slope at a layer's output is not known: the nearest layer above without a rule."""
    waiting = [layer]
    while waiting:
        node = waiting.pop(0)
        if node.missing:
            return node.missing
        if isinstance(node.rule, GroupNorm) and node.name not in slopes.fed:
            return f"{node.title}: what group normalisation was fed is not told"
        waiting += slopes.graph.consumers(node.name)
    return "the slope at its output is not known"


def _rows(rule: Weighted, flow: Flow, weights: Weights) -> tuple[Tensor, Tensor, Tensor | None]:
    """Matrix, right sides and what is visible of them, without rows in doubt where it can be."""
    matrix, right = rule.system(flow.slope), rule.right(weights.gradient(rule))
    mask = weights.mask(rule)
    seen = None if mask is None else rule.right(mask)
    if flow.doubt is None:
        return matrix, right, seen
    sure = ~flow.doubt.flatten(2).any(2).any(0) if flow.doubt.ndim > 2 else ~flow.doubt.any(0)
    keep = sure.repeat_interleave(len(matrix) // len(sure))
    if float(sure.double().mean()) < 1 - MOST_DOUBT or int(keep.sum()) < SPARE * matrix.shape[1]:
        return matrix, right, seen
    return matrix[keep], right[keep], None if seen is None else seen[keep]
