"""What theory says of one release: its epsilon, and how often an image can be named."""

from __future__ import annotations

import dataclasses
import math

from scipy.stats import norm

from defenses import Defense
from reports.records.inversion import Bounds


def guarantee(
    defense: Defense, delta: float, candidates: int | None = None, *, bare: bool = False
) -> Bounds:
    """What theory says of one release: epsilon (None: infinite) and the candidate bounds.

    Args:
        defense: that makes the release.
        delta: of the guarantee, in (0, 1).
        candidates: N of the game that was played (`attacks.invert.candidates`); None: none was.
        bare: whether the client also sends what the defense has not touched, of which no epsilon
            holds.
    """
    options = {f.name: getattr(defense, f.name) for f in dataclasses.fields(defense)}
    epsilon = math.inf if bare else defense.epsilon(steps=1, sample_rate=1, delta=delta)
    noise = defense.effective_noise() if math.isfinite(epsilon) else 0.0
    return Bounds(
        options={k: v for k, v in options.items() if isinstance(v, int | float | str)},
        epsilon=epsilon if math.isfinite(epsilon) else None,
        delta=delta,
        top1_of_1000=named_at_most(1000, noise),
        candidates=candidates,
        top1=None if candidates is None else named_at_most(candidates, noise),
    )


def named_at_most(candidates: int, noise: float) -> float:
    """An upper bound on how often any attack names the right one of N equally likely candidates.

    Phi(Phi^-1(1/N) + 1/sigma) (Hayes et al. 2023, Theorem 2 at full batch and one step), sigma
    the noise std over the sensitivity; 1 without noise.
    """
    return float(norm.cdf(norm.ppf(1 / candidates) + 1 / noise)) if noise > 0 else 1.0
