"""Gates that are open or closed, and the input that follows from them exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.invert.peeling.equations import solve_seen
from attacks.invert.peeling.top import Top

SOLVED = 1e-5
"""A relative residual that no wrong gate leaves behind, where rows outnumber unknowns."""
ROUNDS = 6
"""Of polishing; each one that does not lower the residual is the last."""


@dataclass(frozen=True)
class Rounded:
    """The top convolution with gates of 0 and 1.

    Attributes:
        inputs: (I, P) float64.
        gates: (O, n) of 0 and 1, float64.
        residual: relative; below `SOLVED` with more rows than unknowns it is as good as proof.
    """

    inputs: Tensor
    gates: Tensor
    residual: float

    def solved(self) -> bool:
        """Whether the residual says that every gate is right."""
        return self.residual < SOLVED


def round_top(
    top: Top,
    gates: Tensor,
    *,
    certain: Tensor | None = None,
    forward: Callable[[Tensor], Tensor] | None = None,
) -> Rounded:
    """Round the gates, solve for the input, and let each correct the other.

    Args:
        top: what the release says.
        gates: (O, n) in about [0, 1].
        certain: (O, windows) bool, pooling windows that are known to let something through.
        forward: input (I, P) -> gates (O, n) in about [0, 1], where the network says how the one
            makes the other; None where something else has a say.
    """
    best = round_once(top, gates, certain)
    for _ in range(ROUNDS):
        if best.solved():
            break
        tries = [gates_of(top, best.inputs.clamp(min=0))]
        if forward is not None:
            tries.append(forward(best.inputs.clamp(min=0)))
        found = [round_once(top, tried, certain) for tried in tries]
        better = min(found, key=lambda f: f.residual)
        if better.residual >= 0.999 * best.residual:
            break
        best = better
    return best


def round_once(top: Top, gates: Tensor, certain: Tensor | None = None) -> Rounded:
    """The input that the seen gradient has, were these the gates; see `round_top`."""
    nearest = nearest_gates(top, gates, certain)
    found = solve_seen(
        top.system(top.slope * nearest), top.by_channel(top.value), top.by_channel(top.seen)
    )
    return Rounded(found.unknowns.T, nearest, found.residual)


def nearest_gates(top: Top, gates: Tensor, certain: Tensor | None) -> Tensor:
    """Gates of 0 and 1: above a half, or the largest of a window that is not closed."""
    possible = top.slope != 0
    if top.windows is None:
        return ((gates > 0.5) & possible).double()
    each = torch.where(top.members.T[None] & possible[:, None], gates[:, None], -torch.inf)
    high, place = each.max(-1)
    through = high > 0.5 if certain is None else certain | (high > 0.5)
    through = through & torch.isfinite(high)
    opened = torch.zeros_like(top.slope)
    return opened.scatter_add_(1, place, through.to(opened)).clamp(max=1)


def gates_of(top: Top, inputs: Tensor) -> Tensor:
    """(O, n) gates that the seen gradient has, were this the input."""
    found = solve_seen(top.unfold(inputs).T, top.value.T, top.seen.T)
    return top.gates(found.unknowns.T)
