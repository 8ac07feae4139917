"""L-BFGS with a long history, at two passes over it: for the many directions of a batch."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from attacks.invert.matching.clock import Clock
from attacks.invert.matching.lbfgs import Minimum

PAIRS = 100
"""Of the history. The images of a batch hide behind one another, and a shorter one forgets by which
directions they were told apart (`lenet`, 4 train images as one batch, 1,000 evaluations: 26.3 dB,
and 22.4 with 20 pairs)."""
FEWEST, VALUES = 20, 2**24
"""Of large problems the history has fewer pairs, of so many values together (two of 128 MiB)."""
ENOUGH = 1e-4
"""A step is taken where the objective falls by this share of what its slope promises (Armijo)."""
SHORTEST = 1e-8
"""Of the whole step; where none so short goes down either, the descent has ended."""


class History:
    """The last pairs of steps s and changes of slope y, and the inverse Hessian that they imply.

    In its compact form (Byrd, Nocedal and Schnabel 1994, theorem 2.2), whose inner products follow
    from those of the slopes: two passes over the pairs an evaluation, where scipy's L-BFGS-B takes
    nearly three times as long at 100 pairs of 24,576 values.

    Args:
        size: of the problem.
        like: a tensor of the type and device of all of them.
    """

    def __init__(self, size: int, like: Tensor) -> None:
        pairs = max(FEWEST, min(PAIRS, VALUES // size))
        self.steps, self.turns = like.new_zeros(pairs, size), like.new_zeros(pairs, size)
        self.across, self.turned = like.new_zeros(pairs, pairs), like.new_zeros(pairs, pairs)
        self.both = (like.new_zeros(pairs), like.new_zeros(pairs))
        self.order: list[int] = []
        self.scale = 0.0

    def look(self, slope: Tensor) -> None:
        """Take the inner products of all pairs with a slope (n,)."""
        self.both = (self.steps @ slope, self.turns @ slope)

    def move(self, step: Tensor, turn: Tensor, slope: Tensor) -> None:
        """Look at the next slope, and remember how it came from the last one where that is sound.

        Args:
            step: (n,), from the last point to this one.
            turn: (n,), from the last slope, which was looked at, to this one.
            slope: (n,), this one.
        """
        last = self.both
        self.look(slope)
        product, square = step @ turn, turn @ turn
        if not float(product) > 1e-12 * self.scale * float(square):
            return
        pairs = len(self.steps)
        place = len(self.order) if len(self.order) < pairs else self.order.pop(0)
        self.order.append(place)
        self.steps[place], self.turns[place] = step, turn
        self.across[:, place] = self.both[0] - last[0]
        self.turned[:, place] = self.turned[place] = self.both[1] - last[1]
        self.across[place, place], self.turned[place, place] = product, square
        self.both[0][place], self.both[1][place] = step @ slope, turn @ slope
        self.scale = float(product / square)

    def direction(self, slope: Tensor) -> Tensor:
        """(n,) downhill from a slope that was looked at: - H slope."""
        if not self.order:
            return -slope / max(float(slope.norm()), 1e-300) * math.sqrt(len(slope)) * 0.1
        at = torch.tensor(self.order, device=slope.device)
        along, turned = self.both[0][at], self.both[1][at]
        upper = self.across[at][:, at].triu()
        inner = self.turned[at][:, at] * self.scale
        inner.diagonal().add_(upper.diagonal())
        first = torch.linalg.solve_triangular(upper, along[:, None], upper=True)
        back = inner @ first - self.scale * turned[:, None]
        second = torch.linalg.solve_triangular(upper.T, back, upper=False)
        weights = self.steps.new_zeros(2, len(self.steps))
        weights[0, at], weights[1, at] = second[:, 0], -self.scale * first[:, 0]
        found = self.scale * slope
        found += weights[0] @ self.steps
        found += weights[1] @ self.turns
        return -found


def long_lbfgs(
    objective: Callable[[Tensor], Tensor], start: Tensor, *, evaluations: int, clock: Clock
) -> Minimum:
    """Minimise with L-BFGS of `PAIRS` pairs (Liu and Nocedal 1989), in float64, without bounds.

    Args:
        objective: a tensor like ``start`` -> scalar, differentiable.
        start: where to begin; device and shape of every point tried.
        evaluations: at most this many gradients.
        clock: once it is over no evaluation begins.

    Returns:
        The best point, which is the last one: every step goes down.
    """
    point, count = start.detach().double().flatten(), 0

    def evaluate(flat: Tensor) -> tuple[float, Tensor]:
        nonlocal count
        count += 1
        tried = flat.reshape(start.shape).requires_grad_()
        value = objective(tried)
        (slope,) = torch.autograd.grad(value, tried)
        return float(value.detach()), slope.flatten()

    if evaluations < 1 or clock.over:
        stopped = "time" if clock.over else "iterations"
        return Minimum(start.detach().clone(), math.inf, 0, stopped)
    value, slope = evaluate(point.clone())
    history, stopped, length = History(len(point), point), "iterations", 1.0
    history.look(slope)
    while count < evaluations:
        if clock.over:
            stopped = "time"
            break
        direction = history.direction(slope)
        promised = float(direction @ slope)
        if not promised < 0:
            stopped = "solved"
            break
        ahead = point + length * direction
        higher, turned = evaluate(ahead.clone())
        change = higher - value
        if not change <= ENOUGH * length * promised:  # NaN goes back too
            if length < SHORTEST:
                stopped = "solved"
                break
            bend = change - length * promised
            best = -length * promised / (2 * bend) if math.isfinite(bend) and bend > 0 else 0.1
            length *= min(0.5, max(0.1, best))
            continue
        history.move(ahead - point, turned - slope, turned)
        point, value, slope, length = ahead, higher, turned, 1.0
    return Minimum(point.reshape(start.shape), value, count, stopped)
