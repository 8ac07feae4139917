"""The input of a convolution by the channels that fit it best, and the gates of the others by it.

A few wrong gates spoil an input that is solved for by all channels; of channels that are wrong
somewhere the gradient is left unexplained, and those are left out until they are put right.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from attacks.invert.peeling.equations import Belief, solve_seen
from attacks.invert.peeling.moments import Moments
from attacks.invert.peeling.odds import Odds, shares_of
from attacks.invert.peeling.rounding import SOLVED, gates_of, nearest_gates
from attacks.invert.peeling.top import Top

KEPT, AROUND = 0.6, 10.0
"""Share of the channels that is kept at least, and how far beyond the median one others may be."""
PULL = 2e-5
"""Weight of what was known before, beside the equations of a place; some places have none."""
NEAR = 1e-3
"""Relative residual of the median channel below which what was known before weighs less."""
CLEAR = 1e-12
"""Of the power of a gradient: misfit so small that the likelier gate is taken."""


class Trimmed(NamedTuple):
    """What was found.

    Attributes:
        inputs: (I, P) float64.
        gates: (O, n) of 0 and 1, float64.
        typical: relative residual of the median channel.
        residual: relative, of all channels.
    """

    inputs: Tensor
    gates: Tensor
    typical: float
    residual: float


def trim(
    top: Top,
    shares: Tensor,
    inputs: Tensor,
    certain: Tensor | None,
    turns: int,
    start: Tensor | None = None,
) -> Trimmed:
    """Input and gates, each told by the other, with the channels that fit worst left out.

    Args:
        top: what the release says, without noise, of one example.
        shares: (O, n) chances that gates are open.
        inputs: (I, P) float64, which are not far off.
        certain: (O, windows) bool, pooling windows that are known to let something through.
        turns: at most so many.
        start: (I, P) float64, better inputs; None: the same.
    """
    moments, slope = Moments(top), (top.slope / top.sizes).float()
    odds = Odds.of(top, torch.full_like(slope, 1e-2), certain)
    gates, fed = nearest_gates(top, shares, certain), inputs if start is None else start
    live = (top.slope != 0).any(1)
    for _ in range(turns):
        left = _left(top, gates, fed)
        median = float(left[live].median())
        if float(left[live].max()) < SOLVED:
            break
        kept = (left <= max(float(torch.quantile(left[live], KEPT)), AROUND * median)) & live
        pull = PULL * min(1.0, median / NEAR) ** 2
        fed = _solve(top, gates, kept, inputs, pull).clamp(min=0)
        patches, pulls = moments.of_patches(fed.float(), fed.new_zeros(1, 1, 1).float())
        clear = CLEAR * moments.value.square().sum(1).clamp(min=1e-30)
        other = shares_of(top, slope, odds, patches, pulls, clear, start=gates.float())
        for tried in (other.double(), gates_of(top, fed)):
            other = nearest_gates(top, tried, certain)
            lower = _left(top, other, fed) < _left(top, gates, fed)
            gates = torch.where(lower[:, None], other, gates)
    left = _left(top, gates, fed)
    power = top.value.square().sum(1)
    whole = float((left.square() * power).sum() / power.sum()) ** 0.5
    return Trimmed(fed, gates, float(left[live].median()), whole)


def _left(top: Top, gates: Tensor, inputs: Tensor) -> Tensor:
    """(O,) what is left of each channel's gradient, relative."""
    left: Tensor = ((top.slope * gates) @ top.unfold(inputs) - top.value) * top.seen
    share: Tensor = left.norm(dim=1) / top.value.norm(dim=1).clamp(min=1e-300)
    return share


def _solve(top: Top, gates: Tensor, kept: Tensor, before: Tensor, pull: float) -> Tensor:
    """(I, P) the input that the kept channels say; where they say nothing, what was known."""
    at = kept.repeat_interleave(top.geometry.taps)
    rows = top.system(top.slope * gates)[at]
    seen = top.by_channel(top.seen)[at]
    weight = pull * float(rows.square().sum(0).mean())
    belief = Belief(before.T, torch.full_like(before.T, weight))
    found = solve_seen(rows, top.by_channel(top.value)[at], seen, belief)
    return found.unknowns.T
