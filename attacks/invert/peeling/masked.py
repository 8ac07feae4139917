"""A release with a mask or with noise, walked down as far as it goes. One example."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from attacks.invert.matching.clock import Clock
from attacks.invert.matching.image_prior import SpectralPrior
from attacks.invert.peeling.bilinear import PLAN, Plan
from attacks.invert.peeling.blind import Opened
from attacks.invert.peeling.flow import Choice, Slopes
from attacks.invert.peeling.geometry import Geometry
from attacks.invert.peeling.graph import Graph, Node
from attacks.invert.peeling.last_layer import last_linear
from attacks.invert.peeling.masked_last import (
    LOOKED_AT,
    label_of,
    last_factors,
    likely_length,
)
from attacks.invert.peeling.masked_top import Seen, TopGuess, guess_top
from attacks.invert.peeling.open_chain import OpenChain
from attacks.invert.peeling.outer import Factors
from attacks.invert.peeling.rules.max_pool import MaxPool
from attacks.invert.peeling.rules.relu import ReLU
from attacks.invert.peeling.top import Top
from attacks.invert.peeling.walk import Walk
from attacks.invert.peeling.weights import Weights

NOTHING = 1e-7
"""What a unit gave, beside the largest, below which it was off; where there is no noise."""


@dataclass
class MaskedTop:
    """The top step of a walk, where the row space says nothing.

    Attributes:
        graph: of the model.
        images: (N, C, H, W), the adversary's own.
        prior: over images.
        seen: name of a convolution -> what these show of it; filled where it is missing.
        noise: std per coordinate of the release.
        clock: guards it.
        plan: of the bilinear stages.
        open: name of a max pooling -> (O, windows) bool, those known to let something through.
        layer: the convolution that was asked for last.
        top: what the release says of it.
        guess: what was found.
    """

    graph: Graph
    images: Tensor
    prior: SpectralPrior
    seen: dict[str, Seen]
    noise: float
    clock: Clock
    plan: Plan = PLAN
    open: Mapping[str, Tensor] = field(default_factory=dict)
    layer: Node | None = None
    top: Top | None = None
    guess: TopGuess | None = None

    def __call__(
        self,
        gradient: Tensor,
        visible: Tensor | None,
        slope: Tensor,
        geometry: Geometry,
        leak: float,
    ) -> Opened:
        """See `TopStep`."""
        layer = next(
            n for n in self.graph.nodes.values() if getattr(n.rule, "geometry", None) is geometry
        )
        nothing = gradient.new_zeros(len(slope), gradient.shape[1], *geometry.size)
        chain = OpenChain.of(self.graph, layer)
        if self.guess is not None:  # once: a layer below one that is not solved is out of reach
            return Opened(nothing, slope * 0, 1.0, "what passes on its slope is not told")
        if leak or not chain.above:
            return Opened(nothing, slope * 0, 1.0, "no gate is open or closed above it")
        if layer.name not in self.seen:
            self.seen[layer.name] = Seen.of(chain, self.images)
        shown = torch.ones_like(gradient, dtype=torch.bool) if visible is None else visible
        top = Top.of(geometry, slope.flatten(2), gradient, shown, chain.windows, self.noise)
        few = f"{top.equations:,} equations for {top.equations - top.spare:,} unknowns"
        if len(slope) > 1 and top.spare <= 0:  # the latent images would say nothing of who is who
            return Opened(nothing, slope * 0, 1.0, few)
        pool = next((n.name for n in chain.above if isinstance(n.rule, MaxPool)), "")
        seen, certain = self.seen[layer.name], self.open.get(pool)
        if len(slope) > 1 and chain.windows is not None:  # closed windows have no slope any more
            certain = (top.slope != 0).to(slope) @ top.members.to(slope) > 0
        given = top, seen, certain
        found = guess_top(*given, prior=self.prior, clock=self.clock, plan=self.plan)
        self.layer, self.top, self.guess = layer, top, found
        reason = f"{found.residual:.1e} of its gradient is left unexplained"
        if top.spare <= 0:
            reason = few
        residual = found.residual if found.solved else 1.0
        fed = found.inputs.reshape(len(nothing[0]), len(nothing), *geometry.size).transpose(0, 1)
        return Opened(fed, top.everywhere(found.gates), residual, reason)


@dataclass(frozen=True)
class MaskedPeel:
    """What is known of a private image.

    Attributes:
        walk: from the logits down.
        top: the top step, which may have found something without a proof.
        label: (1,) int64.
        scaled: whether the scale of the slopes is known, and not just likely.
    """

    walk: Walk
    top: MaskedTop
    label: Tensor
    scaled: bool


def peel_masked(
    graph: Graph,
    weights: Weights,
    softmax: Tensor,
    top: MaskedTop,
    label: int | None = None,
) -> MaskedPeel:
    """Walk down from the last layer, of which some coordinates are seen.

    Args:
        graph: of the model, not refused.
        weights: the release's, with the mask.
        softmax: (classes,) mean over the adversary's own images.
        top: the top step; see `MaskedTop`.
        label: where the adversary knows it.
    """
    node, last = last_linear(graph)
    if label is None:
        label = label_of(graph, node, weights)
    factors = last_factors(last, weights, softmax, label)
    if not factors.scaled:
        fed = graph.upto([node.inputs[0]], torch.float32)(top.images[:LOOKED_AT])[0]
        factors = likely_length(factors, fed.flatten(1))
    slopes = Slopes(graph, factors.slopes[None])
    walk = Walk(graph, weights, slopes, top=top, clock=top.clock, given=frozenset(node.inputs[:1]))
    top.open = _start(walk, node.inputs[0], factors, exact=top.noise == 0)
    walk.run()
    return MaskedPeel(walk, top, torch.tensor([label]), factors.scaled)


def _start(walk: Walk, name: str, factors: Factors, *, exact: bool) -> dict[str, Tensor]:
    """What the last layer was fed, as far as it is known, told to the walk.

    Returns:
        Name of a max pooling -> (O, windows) bool, which are known to let something through.
    """
    if not exact:  # nothing tells an entry that is off from one that is drowned
        return {}
    limit = NOTHING * float(factors.features.abs().max())
    value = torch.where(factors.known, factors.features, torch.nan)[None]
    if bool(factors.known.all()):
        walk.values[name], walk.residuals[name] = value, NOTHING
    while True:
        node = walk.graph.nodes[name]
        on, doubt = value > limit, value.isnan()
        if isinstance(node.rule, MaxPool):
            walk.slopes.gate(name, (on | doubt).to(value))
            return {name: on[0].flatten(1)}
        if isinstance(node.rule, ReLU):
            walk.slopes.choose(
                name, Choice((on | doubt).to(value), doubt if bool(doubt.any()) else None)
            )
            return {}
        lifted = None if node.rule is None else node.rule.lift(value)
        if lifted is None or len(node.inputs) > 1:
            return {}
        value, name = lifted[0], node.inputs[0]
