"""Norms of a convolution's per-example weight gradients from Gram matrices, forming none of them.

The gradient of example b is D P, of slopes D (out, T) and patches P (T, fan), T pixels of output.
Its squared norm is <D^T D, P P^T> (Rochette et al. 2019; Bu et al. 2022, "ghost" norms), and the
Gram matrix of the patches is a sum of shifted blocks of that of the pixels, which has nine times
fewer products to make where patches are 3x3.
"""

from __future__ import annotations

import torch
from torch import Tensor

from victims.gradients.geometry import Geometry

TOGETHER = 16
"""Examples whose Gram matrices are made together: those of 64 pixels stay in the cache."""
ROUNDINGS = 16
"""Half units in the last place of each product of two Gram matrices' entries by which a squared
norm is made larger; sums of equal numbers, which all round one way, were seen to be off by 9."""


def gram_norms(x: Tensor, slope: Tensor, shape: torch.Size, geometry: Geometry) -> Tensor:
    """(B,) float64 squared norms of the weight gradients, from above.

    Where products cancel, a norm from Gram matrices loses what they lose, and so does the float32
    sum of slopes times patches. So ``ROUNDINGS`` half units in the last place of the sum of the
    products' magnitudes are added, and one of the square of the sum over pixels of |slope| |patch|,
    the most that a gradient could be: what is summed is no longer than the norm says.

    Args:
        x: (B, in, H, W).
        slope: (B, out, H', W').
        shape: of the weight (out, in, h, w); there are no groups.
        geometry: how the convolution walks.
    """
    found = []
    x, larger = _near_one(x)
    slope, steeper = _near_one(slope)
    for some, slopes in zip(x.split(TOGETHER), slope.split(TOGETHER), strict=True):
        rows = slopes.flatten(2)
        outputs = torch.bmm(rows.transpose(1, 2), rows)
        patches = patch_gram(some, shape, slope.shape[2:], geometry)
        lengths = outputs.diagonal(dim1=1, dim2=2) * patches.diagonal(dim1=1, dim2=2)
        most = lengths.clamp(min=0).sqrt().sum(1).double().square()
        products = patches.mul_(outputs)
        norms = products.sum((1, 2)).double()
        doubt = ROUNDINGS * products.abs_().sum((1, 2)).double() + most
        found.append(norms + doubt * torch.finfo(slope.dtype).eps / 2)
    return torch.ldexp(torch.cat(found), 2 * (larger + steeper))


def _near_one(values: Tensor) -> tuple[Tensor, Tensor]:
    """Each example's values over a power of two, which is exact, and that power (B,).

    Squares of what is small or large alone would be nothing or infinite, where the gradient, small
    times large, is neither.
    """
    power = torch.frexp(values.flatten(1).abs().amax(1)).exponent.clamp(-125, 125)
    shown = power.view(-1, *[1] * (values.ndim - 1))
    return torch.ldexp(values, -shown), power


def patch_gram(x: Tensor, shape: torch.Size, size: torch.Size, geometry: Geometry) -> Tensor:
    """(B, T, T) products of the patches of each example with one another.

    Args:
        x: (B, in, H, W).
        shape: of the weight (out, in, h, w).
        size: (H', W') of the output, T = H' W'.
        geometry: how the convolution walks.
    """
    pixels = x.flatten(2)
    height, width = x.shape[2:]
    products = torch.bmm(pixels.transpose(1, 2), pixels)
    by_row = products.view(len(x), height, width, height, width)
    rows, columns = size
    by_row = _windows(by_row, 1, 3, rows, shape[2], geometry, 0)
    return _windows(by_row, 2, 4, columns, shape[3], geometry, 1).reshape(
        len(x), rows * columns, rows * columns
    )


def _windows(
    products: Tensor, one: int, other: int, size: int, reach: int, geometry: Geometry, axis: int
) -> Tensor:
    """Sum of the products over a window that walks along two axes at once, one per factor."""
    if reach == 1 and geometry.stride[axis] == 1 and not geometry.padding[axis]:
        return products
    stride, pixels = geometry.stride[axis], products.shape[one]
    places = list(products.shape)
    places[one] = places[other] = size
    total = products.new_zeros(places)
    for place in range(reach):
        offset = place * geometry.dilation[axis] - geometry.padding[axis]
        first = max(0, -(offset // stride))  # the first output whose pixel lies inside
        last = min(size, (pixels - 1 - offset) // stride + 1)
        if last <= first:
            continue
        begin, count = first * stride + offset, last - first
        source = products
        target = total
        for dim in (one, other):
            source = source.narrow(dim, begin, (count - 1) * stride + 1)
            source = source[(slice(None),) * dim + (slice(None, None, stride),)]
            target = target.narrow(dim, first, count)
        target += source
    return total
