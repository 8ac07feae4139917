"""Images behind their augmented versions, when the ways of augmenting are known and few."""

from __future__ import annotations

import torch
from torch import Tensor

from attacks.invert.matching.image_prior import SpectralPrior
from defenses import Defense, preprocessing

ERROR = 0.03
"""Std per pixel by which the adversary expects its own reconstruction to be off."""
COMPONENTS = 32
"""Directions of its own in which a way's images vary; at most half as many as there are images."""
ITERATIONS = 80
"""Of L-BFGS, per image."""


def undo_view(defense: Defense, seen: Tensor, auxiliary: Tensor) -> Tensor:
    """The likeliest images behind ``seen``, each in the likeliest view of it.

    The way comes first (`surprise`). Then |view(x, way) - seen|^2 / (2 ERROR^2) - log p(x) is
    minimised over x in the prior's whitened coordinates, so that what was moved out of the frame
    becomes the prior's conditional mean.

    Args:
        defense: one that shows images in finitely many ways.
        seen: (B, C, H, W) in [0, 1], on the CPU.
        auxiliary: (N, C, H, W), the adversary's own images, N >= 1.

    Returns:
        (B, C, H, W) float32 in [0, 1].
    """
    prior = SpectralPrior.fit(auxiliary)
    ways = range(preprocessing.ways(defense))
    surprises = [surprise(seen, preprocessing.view(defense, auxiliary, way)) for way in ways]
    likeliest = torch.stack(surprises).argmin(0)
    images = [
        _likeliest_behind(defense, image, int(way), prior)
        for image, way in zip(seen.double().split(1), likeliest, strict=True)
    ]
    return torch.cat(images).clamp(0, 1).float()


def surprise(seen: Tensor, alike: Tensor) -> Tensor:
    """-log p of images, up to a constant, when ``alike`` are drawn as they were.

    Probabilistic PCA (Tipping and Bishop 1999) and `ERROR` on every pixel. What one half of the
    sample gives as directions is measured on the other, or else images that are new would come
    as a surprise whatever they are. The volume counts: an image of low contrast fits well among
    those of high contrast, but is likelier among its own.

    Args:
        seen: (B, C, H, W).
        alike: (N, C, H, W).

    Returns:
        (B,) float64.
    """
    sample, images = alike.flatten(1).double(), seen.flatten(1).double()
    mean = sample.mean(0)
    first, second = sample[::2] - mean, (sample[1::2] if len(sample) > 1 else sample) - mean
    count = min(len(first) // 2, COMPONENTS)
    directions = torch.linalg.svd(first, full_matrices=False).Vh[:count]
    within = (second @ directions.T).square()
    beyond = second.square().sum(1) - within.sum(1)
    size = sample.shape[1] - count
    variances = within.mean(0) + ERROR**2
    rest = beyond.mean() / size + ERROR**2
    own = ((images - mean) @ directions.T).square()
    left = (images - mean).square().sum(1) - own.sum(1)
    volume = variances.log().sum() + size * rest.log()
    found: Tensor = (volume + (own / variances).sum(1) + left / rest) / 2
    return found


def _likeliest_behind(defense: Defense, seen: Tensor, way: int, prior: SpectralPrior) -> Tensor:
    """(1, C, H, W) the likeliest image whose view in that way is ``seen``; not clamped."""
    code = torch.zeros_like(seen).requires_grad_()
    search = torch.optim.LBFGS(
        [code], max_iter=ITERATIONS, line_search_fn="strong_wolfe", tolerance_change=1e-7
    )

    def closure() -> Tensor:
        # The image is not clamped: outside [0, 1] there would be no slope back.
        misfit = preprocessing.view(defense, prior.decode(code), way) - seen
        energy = misfit.square().sum() / (2 * ERROR**2) + code.square().sum() / 2
        code.grad = torch.autograd.grad(energy, code)[0].contiguous()
        return energy

    search.step(closure)
    return prior.decode(code.detach())
