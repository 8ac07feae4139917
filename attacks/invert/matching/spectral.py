"""The likeliest images by descent in whitened coordinates, from a coarse noise to a fine one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from attacks.invert.matching.clock import Clock
from attacks.invert.matching.lbfgs import Minimum, lbfgs
from attacks.invert.matching.objective import Residual

BOX_STD = 0.01
"""How far outside [0, 1] a pixel may lie, as the std of a Gaussian wall."""


class Whitened(Protocol):
    """A Gaussian image prior that knows images by whitened coordinates."""

    def decode(self, code: Tensor) -> Tensor:
        """Coordinates, N(0, I) under the prior -> images (B, C, H, W)."""
        ...


def descend(
    compare: Residual,
    prior: Whitened,
    code: Tensor,
    levels: Sequence[float],
    *,
    evaluations: int,
    clock: Clock,
) -> Minimum:
    """argmax log p(release | images) + log p(images), one descent for each noise level in turn.

    Args:
        compare: see `attacks.invert.matching.objective.residual`.
        prior: over images.
        code: the prior's coordinates of the images to start from.
        levels: noise std per coordinate of the release, the coarsest first.
        evaluations: gradients in all, shared evenly.
        clock: once it is over no evaluation begins.

    Returns:
        A `Minimum` whose point is a code of the same shape.
    """
    spent = 0
    for index, level in enumerate(levels):

        def objective(code: Tensor, level: float = level) -> Tensor:
            images = prior.decode(code)
            explained, observed = compare(images)
            misfit = (explained - observed).square().sum() / level**2
            wall = (images - images.clamp(0, 1)).square().sum() / BOX_STD**2
            return (misfit + wall + code.square().sum()) / 2

        share = max(1, (evaluations - spent) // (len(levels) - index))
        found = lbfgs(objective, code, evaluations=share, clock=clock)
        code, spent = found.point, spent + found.evaluations
        if found.stopped == "time" or spent >= evaluations:
            break
    return Minimum(code, found.value, spent, found.stopped)


def noise_levels(coarse: float, std: float) -> list[float]:
    """Levels from ``coarse`` down to ``std``, about half a decade apart, ending at ``std``."""
    if coarse <= std:
        return [std]
    steps = max(1, math.ceil(2 * math.log10(coarse / std)))
    return [coarse * (std / coarse) ** (k / steps) for k in range(steps + 1)]
