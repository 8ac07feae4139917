"""A model from one of its nodes to the logits: what a value there would have caused above it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor, nn

from attacks.invert.matching.meter import spend
from attacks.invert.peeling.graph import Graph

Loss = Callable[[Tensor, Tensor], Tensor]
"""(logits (B, C), labels (B,)) -> scalar mean over the batch."""

LONGEST = 16.0
"""Powers of two by which a length may be off, either way, before it is looked for."""
COARSE, REFINED = 33, 40
"""Lengths that are tried before the best of them is refined, and evaluations of that."""
MOST = COARSE + REFINED + 1
"""Evaluations of all that."""
FINE = 1e-8
"""Of the logarithm of a length, where the search for it ends."""
CERTAIN = 1e-4
"""What a value of the right length may leave of the gradients above it, in squares."""


@dataclass(frozen=True)
class Told:
    """A value whose length was not known.

    Attributes:
        factor: by which it is to be multiplied.
        slope: (1, *shape) float64, of the loss at it, in units of the release.
        misfit: share of the gradients above, in squares, that it does not explain.
        evaluations: gradients that were taken.
    """

    factor: float
    slope: Tensor
    misfit: float
    evaluations: int

    @property
    def certain(self) -> bool:
        """Whether the gradients above say so."""
        return self.misfit < CERTAIN


def onward(graph: Graph, name: str, given: tuple[str, ...] = ()) -> nn.Module:
    """A copy of the model in float64 that takes what a node gives and gives the logits.

    Args:
        graph: of the model.
        name: of a node that all goes through, see `Graph.is_passed_by_all`.
        given: names of nodes whose values the copy gives, as a tuple, in place of the logits.
    """
    part = copy.deepcopy(graph.module)
    nodes = {node.name: node for node in part.graph.nodes}
    with part.graph.inserting_before(next(iter(part.graph.nodes))):
        fed = part.graph.placeholder("fed")
    nodes[name].replace_all_uses_with(fed)
    if given:
        part.graph.erase_node(nodes["output"])
        part.graph.output(tuple(nodes[one] for one in given))
    part.graph.eliminate_dead_code()
    for node in list(part.graph.nodes):
        if node.op == "placeholder" and node is not fed and not node.users:
            part.graph.erase_node(node)
    part.delete_all_unused_submodules()
    part.recompile()
    for module in part.modules():
        if isinstance(module, nn.ReLU | nn.LeakyReLU):
            module.inplace = False
    return part.double()


def find_length(
    graph: Graph,
    loss: Loss,
    label: Tensor,
    gradients: Mapping[str, Tensor],
    visible: Mapping[str, Tensor] | None,
    name: str,
    value: Tensor,
) -> Told | None:
    """The length of a value that is known up to it, by the gradients of all layers above.

    A release is a gradient up to one factor (clipping), so that the angle to it is what counts.

    Args:
        graph: of the model.
        loss: of the logits and the label.
        label: (1,) int64.
        gradients: of the release, by name.
        visible: bool, their visible coordinates; None: all.
        name: of the node, through which all goes.
        value: (1, *shape), what it gave, up to a positive factor.

    Returns:
        None where the release shows no gradient above the node.
    """
    above = _Above.of(graph, loss, label.to(value.device), gradients, visible, name)
    if above.power == 0:
        return None

    def misfit(logarithm: float) -> float:
        return above.misfit(value.double() * 2.0**logarithm)

    steps = torch.linspace(-LONGEST, LONGEST, COARSE).tolist()
    tried = [misfit(step) for step in steps]
    near = steps[tried.index(min(tried))]
    bounds = (near - 1.0, near + 1.0)
    options = {"xatol": FINE, "maxiter": REFINED}
    found = minimize_scalar(misfit, bounds=bounds, method="bounded", options=options)
    factor = 2.0 ** float(found.x)
    slope, explained = above.cause(value.double() * factor)
    scale = float(explained @ above.observed) / float(explained.square().sum())
    return Told(factor, slope.detach() * scale, float(found.fun), above.spent)


@dataclass
class _Above:
    """What a release shows of the layers above a node, and what a value there would cause.

    Attributes:
        model: from the node to the logits.
        loss: of the logits and the label.
        label: (1,) int64.
        shown: bool, the visible coordinates of each parameter.
        observed: (P,) float64, what the release has there.
        spent: gradients that were taken.
    """

    model: nn.Module
    loss: Loss
    label: Tensor
    shown: Mapping[str, Tensor]
    observed: Tensor
    spent: int = 0

    @classmethod
    def of(
        cls,
        graph: Graph,
        loss: Loss,
        label: Tensor,
        gradients: Mapping[str, Tensor],
        visible: Mapping[str, Tensor] | None,
        name: str,
    ) -> _Above:
        """For the arguments see `find_length`."""
        model = onward(graph, name)
        names = [k for k, _ in model.named_parameters() if k in gradients]
        shown = {k: torch.ones_like(gradients[k]) if visible is None else visible[k] for k in names}
        parts = [(gradients[k] * shown[k]).double().flatten() for k in names]
        return cls(model, loss, label, shown, torch.cat(parts or [label[:0]]))

    @property
    def power(self) -> float:
        """The squared norm of what is observed."""
        return float(self.observed.double().square().sum())

    def cause(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """The slope at a value (1, *shape) float64, and (P,) what it would have shown above."""
        fed = value.requires_grad_()
        spend(1)
        self.spent += 1
        above = {k: p for k, p in self.model.named_parameters() if k in self.shown}
        given = self.loss(self.model(fed), self.label)
        slope, *rest = torch.autograd.grad(given, [fed, *above.values()], allow_unused=True)
        parts = [
            (torch.zeros_like(p) if g is None else g) * self.shown[k]
            for (k, p), g in zip(above.items(), rest, strict=True)
        ]
        return slope, torch.cat([part.flatten() for part in parts])

    def misfit(self, value: Tensor) -> float:
        """The share of what is observed, in squares, that a value does not explain at any scale."""
        _, explained = self.cause(value)
        along = float(explained @ self.observed)
        size = float(explained.square().sum())
        return 1.0 if along <= 0 or size == 0 else 1 - along**2 / size / self.power
