"""A model as a graph of layers with rules; `trace` reads one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn

from attacks.invert.peeling.rules.contract import Rule, Shape


@dataclass(frozen=True)
class Node:
    """One layer of a model.

    Attributes:
        name: unique in the graph.
        title: where it stands in the model, for people: ``layer1.0.conv1``.
        rule: how it is walked backwards; None for the image.
        inputs: names of the nodes that feed it, in the order of `Rule.pull`.
        shape: of what it gives for one example.
        missing: why it has no rule, in one line that names it; empty when it has.
        target: the module, the function or the name of the method that it is.
    """

    name: str
    title: str
    rule: Rule | None
    inputs: tuple[str, ...]
    shape: Shape
    missing: str = ""
    target: object = None


@dataclass(frozen=True)
class Graph:
    """The layers between a model's image and its logits.

    Attributes:
        nodes: name -> layer, in the order in which they run.
        image: name of the node that is the image.
        logits: name of the node that gives the logits.
        module: the traced model, whose fx nodes have the same names.
    """

    nodes: Mapping[str, Node]
    image: str
    logits: str
    module: fx.GraphModule

    def consumers(self, name: str) -> list[Node]:
        """The layers that are fed with this one's output."""
        return [node for node in self.nodes.values() if name in node.inputs]

    def upstream(self, name: str) -> set[str]:
        """Names of the nodes on which this one depends, its own left out."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            fresh = set(self.nodes[waiting.pop()].inputs) - found
            found |= fresh
            waiting += fresh
        return found

    def is_passed_by_all(self, name: str) -> bool:
        """Whether everything that the logits know of the image goes through a node."""
        waiting, seen = [self.logits], {name, self.logits}
        if name == self.logits:
            return True
        while waiting:
            for below in self.nodes[waiting.pop()].inputs:
                if below == self.image != name:
                    return False
                if below not in seen:
                    seen.add(below)
                    waiting.append(below)
        return True

    def upto(self, names: Sequence[str], dtype: torch.dtype) -> Callable[[Tensor], list[Tensor]]:
        """Images (B, C, H, W) -> what the named nodes give, differentiable in the images.

        Args:
            names: of nodes of this graph.
            dtype: in which a copy of the model computes.
        """
        part = copy.deepcopy(self.module)
        found = {node.name: node for node in part.graph.nodes}
        part.graph.erase_node(found["output"])
        part.graph.output(tuple(found[name] for name in names))
        part.graph.eliminate_dead_code()
        part.delete_all_unused_submodules()
        part.recompile()
        for layer in part.modules():  # or one would overwrite what another has given
            if isinstance(layer, nn.ReLU | nn.LeakyReLU):
                layer.inplace = False
        part.to(dtype).requires_grad_(False)
        return lambda images: list(part(images.to(dtype)))
