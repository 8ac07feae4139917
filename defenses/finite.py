"""Leaves out every example whose gradient is not finite, as if it had not been drawn.

A NaN survives clipping, for NaN * min(1, C / NaN) is NaN, and a run that stops at one tells who was
in the batch: an output that no epsilon covers. Without the example there is nothing to tell: the
release of a batch is, to the last bit, that of the batch without it, under the same public divisor.
How many were left out is kept nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from defenses.implicit import Implicit
from defenses.outer import Factored, rows


def leave_out_unfinite(grads: Factored) -> Factored:
    """The gradients, name -> (B, *shape), of those examples that have no NaN or infinite value.

    The very same mapping where that is all of them. Under `torch.func.vmap`, where the number of
    examples cannot depend on their values, the others have the gradient zero instead.
    """
    # Finite sums have finite terms only, and are quick to take; that of finite ones may overflow.
    if not grads or all_known(torch.stack([_sums(g) for g in grads.values()]).isfinite()):
        return grads
    keep = finite_examples(grads)
    known = all_known(keep)
    if known is None:
        return {k: blank(g, keep) for k, g in grads.items()}
    return grads if known else {k: _select(g, keep) for k, g in grads.items()}


def all_finite(values: Iterable[Tensor]) -> bool:
    """Whether tensors on one device have no NaN or infinite value, asked of the device at once.

    A GPU works ahead of the program until it is asked.
    """
    # Only finite terms have a finite norm, which is quick to take; it may overflow.
    values = list(values)
    if not values or bool(torch.stack(torch._foreach_norm(values)).isfinite().all()):
        return True
    return all(bool(v.isfinite().all()) for v in values)


def leave_out_zero(grads: Factored, factors: Tensor) -> tuple[Factored, Tensor]:
    """The gradients of the examples whose factor (B,) is not 0, and these factors.

    Under `torch.func.vmap`, and on a GPU, which would have to be waited for, the others have the
    gradient zero instead, which is what they add.
    """
    keep = factors > 0
    known = all_known(keep) if factors.device.type == "cpu" else None
    if known is None:
        return {k: blank(g, keep) for k, g in grads.items()}, factors
    if known:
        return grads, factors
    return {k: _select(g, keep) for k, g in grads.items()}, factors[keep]


def all_known(flags: Tensor) -> bool | None:
    """Whether all flags are True; None under `torch.func.vmap`, where nobody can look."""
    try:
        return bool(flags.all())
    except RuntimeError:  # what vmap raises; it offers no way of asking
        return None


def finite_examples(grads: Factored) -> Tensor:
    """(B,) bool: which examples have finite values only, in all parameters together."""
    each = [
        g.peaks().isfinite() if isinstance(g, Implicit) else rows(g.isfinite()).all(1)
        for g in grads.values()
    ]
    return torch.stack(each).all(0)


def blank(grads: Tensor | Implicit, keep: Tensor) -> Tensor | Implicit:
    """Per-example gradients that are zero where ``keep`` (B,) is False, even for NaN."""
    if isinstance(grads, Implicit):
        return grads.blank(keep)
    return torch.where(keep.reshape(-1, *[1] * (grads.ndim - 1)), grads, 0)


def _sums(grads: Tensor | Implicit) -> Tensor:
    """(B,) values that are finite only where the example's gradient is."""
    return grads.peaks() if isinstance(grads, Implicit) else rows(grads).sum(1)


def _select(grads: Tensor | Implicit, keep: Tensor) -> Tensor | Implicit:
    """The rows of per-example gradients where ``keep`` (B,) is True."""
    return grads.select(keep) if isinstance(grads, Implicit) else grads[keep]
