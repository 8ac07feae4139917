"""The last linear layer under a mask: an outer product, some of whose entries are seen."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

ROUNDS = 500
"""Of alternating least squares; they are free beside anything else."""
STILL = 1e-12
"""A change of the slopes below this ends them."""


class Factors(NamedTuple):
    """The gradient of a linear layer's weights, as the outer product that it is.

    Attributes:
        slopes: (classes,) of the loss at the layer's outputs.
        features: (D,) what the layer was fed; 0 where ``known`` is False.
        known: (D,) bool, whether any entry of the feature's column is seen.
        scaled: whether a seen entry of the bias fixes the common scale.
    """

    slopes: Tensor
    features: Tensor
    known: Tensor
    scaled: bool


def split_outer(
    weight: Tensor,
    seen: Tensor,
    expected: Tensor,
    bias: Tensor | None = None,
    bias_seen: Tensor | None = None,
) -> Factors:
    """Complete dW = slopes features^T from the entries that are seen, for a batch of one.

    Alternating least squares from the slopes that are expected. Seen entries of the bias are
    slopes as they are. With none, only the product of the two factors is determined: the
    largest slope, that of the label, keeps its expected size, 1 - p.

    Args:
        weight: (classes, D) float64, the gradient as released, 0 where it is not seen.
        seen: (classes, D) bool.
        expected: (classes,) slopes before the release is looked at: the mean softmax over the
            adversary's own images, minus 1 at the label.
        bias: (classes,) the gradient of the bias, as released; None without one.
        bias_seen: (classes,) bool.
    """
    mask = seen.to(weight)
    value = weight * mask
    slopes = expected
    for _ in range(ROUNDS):
        features = _coefficients(value, mask, slopes)
        fresh = torch.where(seen.any(1), _coefficients(value.T, mask.T, features), slopes)
        fresh = fresh * (slopes.norm() / fresh.norm().clamp(min=1e-300))
        moved = float((fresh - slopes).norm())
        slopes = fresh
        if moved < STILL * float(slopes.norm()):
            break
    scaled = bias is not None and bias_seen is not None and bool(bias_seen.any())
    if bias is not None and bias_seen is not None and scaled:
        told = slopes[bias_seen]
        slopes = slopes * (bias[bias_seen] @ told / told.square().sum().clamp(min=1e-300))
        slopes = torch.where(bias_seen, bias, slopes)
    else:
        anchor = expected.abs().argmax()
        slopes = slopes * (expected[anchor] / slopes[anchor])
    return Factors(slopes, _coefficients(value, mask, slopes), seen.any(0), scaled)


def _coefficients(values: Tensor, mask: Tensor, factor: Tensor) -> Tensor:
    """(D,) least-squares coefficient of ``factor`` (C,) in every column of ``values`` (C, D)."""
    power = (mask * factor.square()[:, None]).sum(0)
    return (values * factor[:, None]).sum(0) / power.clamp(min=1e-300)
