"""Gives a guess the usual brightness and contrast where a release is blind to them.

A victim that normalises each picture's length, or takes its mean away, sends the same gradient
for every brightness of it. What an optimiser leaves there is an accident: total variation, for
one, is smallest in the dark. The likeliest picture under a Gaussian prior is too dark as well;
the one of usual brightness errs least.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from attacks.invert.matching.image_prior import SpectralPrior
from attacks.invert.matching.objective import Residual, energy

BLIND = 1e-3
"""A move that changes the explained update by less than this share of the release is free."""
FAINT = 1e-300


def settle(
    compare: Residual, images: Tensor, prior: SpectralPrior, std: float
) -> tuple[Tensor, float]:
    """The guess, moved to the usual brightness where that changes nothing of what it explains.

    Args:
        compare: see `attacks.invert.matching.objective.residual`.
        images: (B, C, H, W) in [0, 1], the optimiser's result.
        prior: over images.
        std: of the noise that the adversary reckons with.

    Returns:
        Images of the same shape and type, and `attacks.invert.matching.objective.energy` of them.
    """
    start = images.detach().double()
    explained, observed = (t.detach() for t in compare(start))
    limit = BLIND * float(observed.norm())
    for tried in _views(start, prior):
        moved = compare(tried)[0].detach()
        if float((moved - explained).norm()) <= limit:
            return tried.to(images.dtype), energy(compare, tried, prior, std)
    return images, energy(compare, start, prior, std)


def _views(images: Tensor, prior: SpectralPrior) -> Iterator[Tensor]:
    """Usual contrast and mean, usual mean by scale, by offset; each in [0, 1]."""
    around = (1, 2, 3)
    mean = prior.mean.mean()
    centred = images - images.mean(around, keepdim=True)
    usual = ((prior.mean - mean).square().mean() + prior.std.square().mean()).sqrt()
    spread = centred.square().mean(around, keepdim=True).sqrt()
    low, high = centred.amin(around, keepdim=True), centred.amax(around, keepdim=True)
    # As much contrast and light as fit, rather than parts that are cut off, which would be seen.
    contrast = torch.minimum(usual / spread.clamp(min=FAINT), 1 / (high - low).clamp(min=FAINT))
    centre = torch.clamp(mean, -low * contrast, 1 - high * contrast)
    yield (centre + centred * contrast).clamp(0, 1)
    top = images.amax(around, keepdim=True).clamp(min=FAINT)
    scale = torch.minimum(mean / images.mean(around, keepdim=True).clamp(min=FAINT), 1 / top)
    yield (images * scale).clamp(0, 1)
    yield (torch.clamp(mean, -low, 1 - high) + centred).clamp(0, 1)
