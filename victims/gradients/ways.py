"""The ways to the per-example weight gradients of a convolution, and which one a layer takes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from victims.gradients.geometry import Geometry

GRAM = "gram"
"""The way that forms no gradient, see `victims.gradients.grams`."""
PIXELS = 64
"""Of more pixels of output, Gram matrices are slow, and what they add for rounding is seen."""
BLOCK_BYTES = 1200 * 2**10
"""Gradients formed together on a CPU take at most this, so that they stay in the cache."""


def grouped_gradients(x: Tensor, slope: Tensor, shape: torch.Size, geometry: Geometry) -> Tensor:
    """(B, P) gradients as the weight's of one convolution of as many groups as examples.

    Args:
        x: (B, in, H, W).
        slope: (B, out, H', W').
        shape: of the weight (out, in / groups, h, w).
        geometry: how the convolution walks.
    """
    count = len(x)
    many = geometry._replace(groups=count * geometry.groups)
    together = torch.Size((count * shape[0], *shape[1:]))
    rows = many.batch_gradient(x.reshape(1, -1, *x.shape[2:]), _flat(slope), together)
    return rows.reshape(count, shape.numel())


def _flat(slope: Tensor) -> Tensor:
    return slope.reshape(1, -1, *slope.shape[2:])


def by_patches(x: Tensor, slope: Tensor, shape: torch.Size, geometry: Geometry) -> Tensor:
    """(B, P) gradients as products of slopes and patches; see `grouped_gradients`."""
    patches = geometry.patches(x, shape).unflatten(1, (geometry.groups, -1))
    slopes = slope.flatten(2).unflatten(1, (geometry.groups, -1))
    rows: Tensor = slopes @ patches.transpose(2, 3)
    return rows.reshape(len(x), shape.numel())


WAYS: dict[str, Callable[[Tensor, Tensor, torch.Size, Geometry], Tensor]] = {
    "grouped": grouped_gradients,
    "patches": by_patches,
}
"""The ways that form the gradients (B, P), by name."""


def block_length(slope: Tensor, shape: torch.Size) -> int:
    """How many examples' gradients are formed together."""
    if slope.device.type != "cpu":
        return max(1, len(slope))
    return max(1, min(16, BLOCK_BYTES // (slope.element_size() * shape.numel())))


def way_of(x: Tensor, slope: Tensor, shape: torch.Size, geometry: Geometry, masked: bool) -> str:
    """The name of the way that a layer takes.

    Args:
        x: (B, in, H, W).
        slope: (B, out, H', W').
        shape: of the weight (out, in / groups, h, w).
        geometry: how the convolution walks.
        masked: whether the norms are those of some coordinates only.
    """
    pixels, out = slope.shape[2:].numel(), shape[0]
    products, formed = pixels * (out + x.shape[1]), out * shape[1:].numel()
    if not masked and geometry.groups == 1 and pixels <= PIXELS and 4 * products <= formed:
        return GRAM
    return "patches" if 2 * pixels <= out or slope.device.type != "cpu" else "grouped"
