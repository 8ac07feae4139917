"""A label that the signs of the layer behind the logits prove, whatever a mask hides."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor


def label_of_signs(
    slopes: Iterable[Tensor], weight: Tensor, bias: Tensor | None, seen: Tensor, shown: Tensor
) -> int | None:
    """The one label that the visible signs of a single example's gradient allow, or None.

    The gradient of the layer behind the logits is d a^T, and d for its bias, with d the loss's
    slope at the logits. Under cross-entropy d is negative at the label alone (Zhao et al. 2020),
    so in every column of the weight the label's entry has another sign than all others, whatever
    the sign of the feature a. A label is told when it alone contradicts no visible sign: that is
    certain, and costs no gradient. Clipping, masks and quantisers keep signs; noise does not.

    Args:
        slopes: for each label (N, classes) slopes of own images at the logits; where their signs
            are not the same for all images, nothing is told.
        weight: (classes, features), as released without noise.
        bias: (classes,), as released without noise; None for a layer without one.
        seen: (classes, features) bool, which entries of the weight are visible.
        shown: (classes,) bool, which entries of the bias are visible.
    """
    column = weight.sign() * seen
    first = None if bias is None else bias.sign() * shown
    allowed = []
    for label, slope in enumerate(slopes):
        signs = slope.sign()
        if bool((signs != signs[0]).any()):
            return None
        expected = signs[0].to(column)
        told = expected[:, None] * column
        against = (told.amax(0) > 0) & (told.amin(0) < 0)
        if bool(against.any()) or (first is not None and bool((expected * first < 0).any())):
            continue
        allowed.append(label)
    return allowed[0] if len(allowed) == 1 else None
