"""Which entries of a ReLU's output were positive, told from a value with errors."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Bits = tuple[Tensor, Tensor]
"""(passed on, in doubt), both bool and of the value's shape."""
Rule = Callable[[Tensor], Bits]

FLOOR = 1e-6
"""Relative error of a value whose signs do not show it."""
LEAST = 1e-10
"""Relative error of any value, also where no entry is negative."""


def by_largest(value: Tensor, above: float = 1.5, low: float = 0.2, high: float = 4.0) -> Bits:
    """By an example's largest error: a ReLU gives nothing negative, so negative entries are it."""
    around = tuple(range(1, value.ndim))
    noise = torch.maximum(-value.amin(around, True), LEAST * value.amax(around, True))
    return value > above * noise, (value > low * noise) & (value < high * noise)


def by_place(value: Tensor, above: float = 6.0, low: float = 3.5, high: float = 9.0) -> Bits:
    """By standard deviations of the error that differ between channels and between places.

    Each is measured on the negative entries of its own and drawn towards the common one.
    """
    flat = value.reshape(len(value), value.shape[1], -1)
    wrong, count = flat.clamp(max=0).square(), (flat < 0).to(flat)
    common = (wrong.sum() / count.sum().clamp(min=1)).sqrt()
    common = torch.maximum(common, LEAST * value.max()).clamp(min=1e-300)
    around = 4.0
    extra = around * common.square()
    places = ((wrong.sum(1, keepdim=True) + extra) / (count.sum(1, keepdim=True) + around)).sqrt()
    channels = ((wrong.sum(2, keepdim=True) + extra) / (count.sum(2, keepdim=True) + around)).sqrt()
    unit = (flat / (channels * places / common)).reshape(value.shape)
    return unit > above, (unit > low) & (unit < high)


LADDER: tuple[Rule, ...] = (
    by_largest,
    by_place,
    lambda value: by_largest(value, 1.5, 0.05, 20.0),
    lambda value: by_place(value, 8.0, 2.0, 25.0),
    lambda value: by_largest(value, 0.6, 0.1, 3.0),
)
"""Tried in this order, until the layer below confirms one."""


def by_sign(value: Tensor) -> Bits:
    """By sign, of a leaky ReLU's output, where negative entries are no errors."""
    return value > 0, value.abs() < FLOOR * value.abs().max()
