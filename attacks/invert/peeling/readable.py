"""Whether a release is the mean gradient, up to a scale and to coordinates that are missing."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from attacks.invert.contract import Threat
from attacks.invert.matching.objective import replay, support
from defenses import Release
from defenses.gradients import flat

ALIKE = 1e-4
"""Relative spread of the factors that a release applies to its coordinates."""
NOISE = 1e-5
"""Norm of the noise over that of the release, above which no layer is solved exactly."""


def is_noisy(release: Release, threat: Threat) -> bool:
    """Whether a release has noise, or is rounded, so that no layer is solved exactly."""
    noise = threat.defense.noise(release) if threat.adaptive else 0.0
    values = flat(release.update)
    return noise * math.sqrt(values.numel()) > NOISE * float(values.double().norm())


def visible_coordinates(release: Release, threat: Threat) -> dict[str, Tensor] | str:
    """Which coordinates are shown, name -> bool; or why the release is no part of a gradient.

    Asks the defense's replay what it does to a gradient: clipping multiplies all by one factor, a
    mask leaves some out, and both leave a gradient to peel; what mixes coordinates does not.
    """
    shown = support(release, threat)
    draw = torch.Generator().manual_seed(0)
    probe = {
        name: torch.randn(value.shape, generator=draw).to(value)[None]
        for name, value in release.update.items()
    }
    given = replay(probe, release, threat)
    factors = torch.cat([(given[name] / probe[name][0])[shown[name]] for name in shown])
    if not factors.numel() or float(factors.std()) > ALIKE * float(factors.mean().abs()):
        return "the defense does more to a gradient than to clip it and to leave coordinates out"
    return shown
