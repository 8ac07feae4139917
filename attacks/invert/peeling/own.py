"""What an adversary learns from its own images of a model, once for all releases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from attacks.invert.peeling.batch import top_convolution
from attacks.invert.peeling.flow import Slopes
from attacks.invert.peeling.graph import Graph
from attacks.invert.peeling.masked_top import Seen
from attacks.invert.peeling.open_chain import OpenChain
from attacks.invert.peeling.regression import Features, OwnFeatures
from attacks.invert.peeling.rules.contract import Weighted
from attacks.invert.peeling.weights import Weights

ANSWERED = 32
"""Images whose softmax is averaged."""


@dataclass(frozen=True)
class Own:
    """Of the adversary's own images.

    Attributes:
        images: (N, C, H, W), on the model's device.
        softmax: (classes,) float64, their mean.
        seen: name of a convolution -> what they show of it; filled where it is missing.
        given: names of nodes -> what these images give there; filled where it is missing.
    """

    images: Tensor
    softmax: Tensor
    seen: dict[str, Seen] = field(default_factory=dict)
    given: dict[tuple[str, ...], OwnFeatures] = field(default_factory=dict)

    @classmethod
    def of(cls, model: nn.Module, images: Tensor) -> Own:
        """Of images (N, C, H, W), before anything is seen of a layer."""
        images = images.to(next(model.parameters()).device)
        with torch.no_grad():
            softmax = model(images[:ANSWERED]).double().softmax(1).mean(0)
        return cls(images, softmax)

    def at(self, names: Sequence[str], features: Features) -> OwnFeatures:
        """What these images give at some nodes, where ``features`` are read."""
        key = tuple(names)
        if key not in self.given:
            self.given[key] = OwnFeatures.of(features, self.images)
        return self.given[key]

    def prepare(self, graph: Graph) -> None:
        """Look at the convolution that every release will ask for, where that is certain."""
        rules = [n.rule for n in graph.nodes.values()]
        gradients = {
            str(r.parameter): r.weight
            for r in rules
            if isinstance(r, Weighted) and r.parameter is not None
        }
        eye = torch.eye(len(self.softmax), dtype=torch.float64, device=self.softmax.device)
        found = top_convolution(graph, Weights(gradients), Slopes(graph, eye))
        if found is not None:
            layer = found[0]
            chain = OpenChain.of(graph, layer)
            if chain.above:
                self.seen[layer.name] = Seen.of(chain, self.images)
