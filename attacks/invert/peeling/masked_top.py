"""The top convolution where the row space says nothing: under a mask, or under noise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.invert.matching.clock import Clock
from attacks.invert.matching.image_prior import SpectralPrior
from attacks.invert.peeling.bilinear import PLAN, Plan, stages
from attacks.invert.peeling.equations import Belief, solve_seen
from attacks.invert.peeling.joint import applies, solve_jointly
from attacks.invert.peeling.latent import Latent
from attacks.invert.peeling.open_chain import OpenChain
from attacks.invert.peeling.rounding import Rounded, round_once, round_top
from attacks.invert.peeling.top import Top, TopPrior

LATENT_EVALUATIONS = 30
"""More would fit what the components leave out."""
TRUSTED = 1e-2
"""A relative residual below which rounded gates are better than what they are rounded from."""
PLENTY = 5
"""Equations per unknown from which on gates that are nearly all right correct the others."""
POLISHED = 0.05
"""A residual of rounded gates below which that is tried after each stage."""
NOISY = 1.5
"""The same beside the noise's own residual."""


@dataclass(frozen=True)
class Seen:
    """What the adversary's own images, and their mirror images, show of an open chain.

    Attributes:
        chain: the convolution and what decides on its gates.
        latent: their joint principal components.
        variance: (I, P), of the convolution's inputs.
    """

    chain: OpenChain
    latent: Latent
    variance: Tensor

    @classmethod
    def of(cls, chain: OpenChain, images: Tensor) -> Seen:
        """Run the model on images (N, C, H, W) and their mirror images."""
        both = torch.cat([images, images.flip(-1)])
        inputs, gates = chain.observe(both)
        return cls(chain, Latent.fit(inputs, gates, both), inputs.var(0) + 1e-12)


@dataclass(frozen=True)
class TopGuess:
    """The top convolution, as far as its gradient tells it.

    Attributes:
        inputs: (I, B * P) float64, what the convolution was fed.
        gates: (O, B * n) float64, the share of the slope that comes through at the places of the
            `Top`; all 0 or 1 where they are certain.
        residual: what is left of the gradient, relative.
        solved: whether the residual proves that all gates are right.
        images: (B, C, H, W), the latent ones.
        evaluations: of the misfit, for each example.
        image: (1, C, H, W) that goes with the input, where it was sought with it.
    """

    inputs: Tensor
    gates: Tensor
    residual: float
    solved: bool
    images: Tensor
    evaluations: int
    image: Tensor | None = None

    @property
    def nearest(self) -> Tensor:
        """(B, C, H, W) the images that were sought with the input, or else the latent ones."""
        return self.images if self.image is None else self.image


def guess_top(
    top: Top,
    seen: Seen,
    certain: Tensor | None = None,
    *,
    prior: SpectralPrior,
    clock: Clock,
    plan: Plan = PLAN,
) -> TopGuess:
    """Input and gates of a convolution, near what the adversary's own images show.

    Args:
        top: what the release says.
        seen: of the adversary's images.
        certain: (O, windows) bool, pooling windows that are known to let something through; those
            of all examples side by side.
        prior: over images.
        clock: guards it.
        plan: see `stages`.
    """
    latent = seen.latent.at(top.places)
    brief = min(LATENT_EVALUATIONS, sum(count for _, count in plan))
    scores, spent = latent.match(top, evaluations=brief, clock=clock)
    inputs, gates, images = latent.decode(scores)
    variance = seen.variance.repeat(1, top.examples)
    begin = TopPrior.near(top, variance, inputs, gates, certain)
    budget = max(1, sum(count for _, count in plan) - spent)

    def jointly(spent: int) -> TopGuess:
        given = top, seen.chain, begin, certain, prior, images
        found = solve_jointly(*given, evaluations=budget, clock=clock)
        parts = found.inputs, found.gates, found.residual, found.solved
        return TopGuess(*parts, images, spent + found.evaluations, found.image)

    may = applies(seen.chain, top) and top.noise == 0
    plenty = top.spare > (PLENTY - 1) * (top.equations - top.spare)
    if may and top.windows is not None and not plenty:
        return jointly(spent)
    if top.spare <= 0:
        return TopGuess(inputs.double(), gates.double(), 1.0, False, images, spent)
    raw, fed, residual = begin.gates.double(), begin.inputs.double(), 1.0
    rounded: Rounded | None = None
    for stage in stages(top, begin, clock=clock, plan=plan):
        spent, residual, fed = spent + stage.evaluations, stage.residual, stage.inputs.double()
        raw = top.gates(stage.opened * top.sizes).double()
        if top.noise > 0:
            continue
        rounded = round_once(top, raw, certain)
        if rounded.residual < POLISHED and plenty and not rounded.solved():
            rounded = _polish(top, seen, raw, certain)
        if rounded.solved():
            return _tell_gates(rounded, images, spent)
    if top.noise > 0:
        rounded = _likeliest_input(top, round_once(top, raw, certain), begin)
    elif not plenty:
        rounded = _polish(top, seen, raw, certain)
    if rounded is not None and rounded.residual < max(TRUSTED, NOISY * top.floor):
        return _tell_gates(rounded, images, spent)
    if may and not clock.over:
        return jointly(spent)
    # What the gradient fixes is the product alone: the open gates among the shares say the scale.
    scale = _open_level(top, raw)
    return TopGuess(fed * scale, raw / scale, residual, False, images, spent)


def _tell_gates(rounded: Rounded, images: Tensor, spent: int) -> TopGuess:
    parts = rounded.inputs, rounded.gates, rounded.residual, rounded.solved()
    return TopGuess(*parts, images, spent)


def _polish(top: Top, seen: Seen, gates: Tensor, certain: Tensor | None) -> Rounded:
    """Rounded gates and input, each corrected by the other and by the network where it can be."""
    forward = seen.chain.gates_of()
    if forward is None:
        return round_top(top, gates, certain=certain)

    def caused(fed: Tensor) -> Tensor:
        parts = fed.reshape(len(fed), top.examples, -1).unbind(1)
        return torch.cat([forward(one)[:, top.places] for one in parts], 1)

    return round_top(top, gates, certain=certain, forward=caused)


def _likeliest_input(top: Top, rounded: Rounded, prior: TopPrior) -> Rounded:
    """The input that is likeliest, were these the gates, under noise."""
    precision = top.noise**2 / prior.inputs_variance.double().T
    rows = top.system(top.slope * rounded.gates)
    belief = Belief(prior.inputs.double().T, precision)
    found = solve_seen(rows, top.by_channel(top.value), top.by_channel(top.seen), belief)
    return Rounded(found.unknowns.T, rounded.gates, found.residual)


def _open_level(top: Top, shares: Tensor) -> float:
    """The share that stands for an open gate: the median of the higher ones of large slopes.

    Those of a pooling window are held at one by its sum.
    """
    if top.windows is not None:
        return 1.0
    size = top.slope.abs()
    large = shares[size >= size[size > 0].median()]
    open_ones = large[large > 0.5 * torch.quantile(large[:1_000_000], 0.99)]
    return float(open_ones.median()) if len(open_ones) else 1.0
