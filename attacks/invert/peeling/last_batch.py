"""A batch taken apart at the layer behind the logits, whose inputs have zeros."""

from __future__ import annotations

import torch
from torch import Tensor

from attacks.invert.peeling.demix import demix
from attacks.invert.peeling.rules.linear import Linear
from attacks.invert.peeling.weights import Weights

GAP = 1e-5
"""A singular value below this share of the largest is float32's noise."""


def slopes_of_batch(
    last: Linear, weights: Weights, bias: Tensor, size: int, *, generator: torch.Generator
) -> Tensor | None:
    """(B, classes) the slopes at the logits of each example; None where they are not told.

    The gradient of the last weight is a sum of one outer product per example, and its row space
    the span of what the layer was fed. Behind a ReLU these are told apart by their zeros (`demix`);
    the bias's gradient, the sum of all slopes, scales them.

    Args:
        last: the layer, fed with what is not negative.
        weights: the release's.
        bias: (classes,) its bias's gradient.
        size: of the batch, B.
        generator: of the draws.
    """
    if weights.mask(last) is not None or size >= len(bias):
        return None
    gradient = weights.gradient(last)
    _, values, rows = torch.linalg.svd(gradient, full_matrices=False)
    if float(values[size - 1]) < GAP * float(values[0]):
        return None
    fed = demix(rows[:size].T, generator=generator)
    if fed is None:
        return None
    slopes = torch.linalg.lstsq(fed, gradient.T).solution
    scale = torch.linalg.lstsq(slopes.T, bias[:, None]).solution
    scaled: Tensor = slopes * scale
    return scaled
