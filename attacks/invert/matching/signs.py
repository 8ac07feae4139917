"""Adam on the sign of the slope, in the box of the pixels (Geiping et al. 2020)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from attacks.invert.matching.clock import Clock

LEARNING_RATE = 0.1
"""Of the pixels, in [0, 1]."""
MILESTONES = (3 / 8, 5 / 8, 7 / 8)
"""Shares of the run after each of which the learning rate is a tenth of what it was."""


class Walked(NamedTuple):
    """The best images (B, C, H, W) that were passed, the steps that were taken, why they ended."""

    images: Tensor
    steps: int
    stopped: str


def walk(
    objective: Callable[[Tensor], Tensor],
    images: Tensor,
    *,
    steps: int,
    clock: Clock,
    others: Sequence[tuple[Tensor, float]] = (),
) -> Walked:
    """Walk down from some images; when time is guarded and short the rate follows the clock.

    Args:
        objective: images (B, C, H, W) -> () what is to be small.
        images: in [0, 1], where the walk begins.
        steps: at most so many.
        clock: ends the walk where it is over.
        others: what the objective depends on besides, values in [0, 1] that are moved in place by
            Adam on their slope, each with its learning rate.
    """
    images = images.detach().clone().requires_grad_()
    adam = torch.optim.Adam([images], lr=LEARNING_RATE)
    for other, rate in others:
        adam.add_param_group({"params": [other.requires_grad_()], "lr": rate})
    moving = [images, *(other for other, _ in others)]
    best, time = (math.inf, images.detach().clone()), clock.left
    done = 0
    for step in range(1, steps + 1):
        if clock.over:
            return Walked(best[1], done, "time")
        done = step
        elapsed = 1 - clock.left / time if clock.guards else 0.0
        progress = max(done / steps, elapsed)
        fall = 0.1 ** sum(progress > m for m in MILESTONES)
        adam.param_groups[0]["lr"] = LEARNING_RATE * fall
        value = objective(images)
        slopes = torch.autograd.grad(value, moving)
        if not all(bool(torch.isfinite(slope).all()) for slope in slopes):
            break
        if (now := float(value.detach())) < best[0]:
            best = (now, images.detach().clone())
        images.grad = slopes[0].sign()
        for (other, _), slope in zip(others, slopes[1:], strict=True):
            other.grad = slope
        adam.step()
        for moved in moving:
            moved.data.clamp_(0, 1)
    return Walked(best[1], done, "iterations")
