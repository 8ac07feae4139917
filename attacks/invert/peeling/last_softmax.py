"""A batch taken apart at the layer behind the logits by what softmax makes of its inputs."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

ROUNDS = 200
"""Of telling inputs by slopes, and slopes by inputs."""
STILL = 1e-10
"""A relative change of the slopes below this ends them."""
AGREED = 1e-3
"""Relative misfit of slopes and gradient, and of slopes and softmax, that is none."""


def slopes_by_softmax(
    gradient: Tensor, total: Tensor, weight: Tensor, bias: Tensor, labels: Tensor
) -> Tensor | None:
    """(B, classes) the slopes at the logits of each example, under cross-entropy; or None.

    The gradient is D^T F for the slopes D (B, classes) and the inputs F (B, features), and D the
    softmax of ``F weight^T + bias`` less the labels, over B: each tells the other. Slopes begin
    at the batch's mean softmax, which the bias's gradient tells, and so no label may occur twice.
    Found is what agrees with both, whatever way led there.

    Args:
        gradient: (classes, features) of the layer's weight.
        total: (classes,) of its bias.
        weight: (classes, features), as the model holds it.
        bias: (classes,), as the model holds it.
        labels: (B,) int64, of the batch.
    """
    size, classes = len(labels), len(total)
    if size >= classes or len(labels.unique()) < size:
        return None
    truth = one_hot(labels.to(total.device), classes).to(total)
    slopes = ((total + truth.mean(0))[None] - truth) / size
    for _ in range(ROUNDS):
        fed = torch.linalg.lstsq(slopes.T, gradient).solution
        fresh = ((fed @ weight.T + bias).softmax(1) - truth) / size
        moved = float((fresh - slopes).norm())
        slopes = fresh
        if not moved > STILL * float(slopes.norm()):
            break
    return slopes if agree(slopes, gradient, total, weight, bias, labels) else None


def agree(
    slopes: Tensor, gradient: Tensor, total: Tensor, weight: Tensor, bias: Tensor, labels: Tensor
) -> bool:
    """Whether slopes (B, classes) explain the gradients, and are what softmax makes of the inputs.

    See `slopes_by_softmax`.
    """
    size = len(labels)
    fed = torch.linalg.lstsq(slopes.T, gradient).solution
    left = (slopes.T @ fed - gradient).norm() / gradient.norm().clamp(min=1e-300)
    apart = (slopes.sum(0) - total).norm() / total.norm().clamp(min=1e-300)
    truth = one_hot(labels.to(total.device), len(total)).to(total)
    told = ((fed @ weight.T + bias).softmax(1) - truth) / size
    wrong = (told - slopes).norm() / slopes.norm().clamp(min=1e-300)
    return float(torch.stack([left, apart, wrong]).max()) < AGREED
