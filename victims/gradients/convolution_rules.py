"""What convolutions do while they are watched: what makes their per-example gradients."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from defenses.implicit import Implicit
from victims.gradients.convolution_gradient import ConvolutionGradient
from victims.gradients.geometry import Geometry, pair
from victims.gradients.projection import Projection
from victims.gradients.standardise import standardised, unit_rows
from victims.gradients.watch import Watch


def conv2d(
    watch: Watch,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: str | int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor | None:
    """See `torch.nn.functional.conv2d`."""
    if isinstance(padding, str) or input.ndim != 4:
        return None
    geometry = Geometry(pair(stride), pair(padding), pair(dilation), groups)
    if id(weight) in watch.standard:
        return _standardised_conv2d(watch, input, weight, bias, geometry)
    names = watch.named(input, weight, bias)
    if names is None:
        return None
    constant = None if bias is None else bias.detach()
    y = F.conv2d(input, weight.detach(), constant, *geometry)

    def note(x: Tensor, slope: Tensor) -> dict[str | None, Tensor | Implicit]:
        found: dict[str | None, Tensor | Implicit] = {}
        if names[0] is not None:
            found[names[0]] = ConvolutionGradient(x, slope, weight.shape, geometry)
        if names[1] is not None:
            found[names[1]] = slope.sum((2, 3))
        return found

    return watch.tap(input, y, note)


def standardise(watch: Watch, weight: Tensor, gain: Tensor) -> Tensor:
    """See `victims.gradients.standardise.standardised`; the rows remember what they are made of."""
    rows = standardised(weight, gain)
    watch.standard[id(rows)] = (weight, gain, rows)  # with itself, that no other gets its id
    return rows


def _standardised_conv2d(
    watch: Watch, input: Tensor, rows: Tensor, bias: Tensor | None, geometry: Geometry
) -> Tensor | None:
    """See `torch.nn.functional.conv2d`, of a weight that `standardise` made.

    With rows u of unit norm, y = bias + gain conv(x, u): the gradient in the gain is that of a
    factor, <slope, conv(x, u)>, which is what a gradient in the weight has along u.
    """
    weight, gain, _ = watch.standard[id(rows)]
    names = watch.named(input, weight, gain, bias) if geometry.groups == 1 else None
    if names is None or None in names[:2]:
        return None
    unit, scale, free = (part.detach() for part in unit_rows(weight.detach()))
    plain = F.conv2d(input, unit, None, *geometry)
    sizes = gain.detach().reshape(-1, 1, 1)
    shift = plain.new_zeros(()) if bias is None else bias.detach().reshape(-1, 1, 1)
    y = torch.addcmul(shift, plain, sizes)
    kept = plain.detach()

    def note(x: Tensor, slope: Tensor) -> dict[str | None, Tensor | Implicit]:
        along = (slope * kept).sum((2, 3))
        by_row = scale.flatten() * gain.detach().flatten()
        projection = Projection(unit.flatten(1), by_row, free.flatten().to(by_row), along)
        found: dict[str | None, Tensor | Implicit] = {}
        found[names[0]] = ConvolutionGradient(x, slope, weight.shape, geometry, None, projection)
        found[names[1]] = along.reshape(len(x), *gain.shape)
        if names[2] is not None:
            found[names[2]] = slope.sum((2, 3))
        return found

    return watch.tap(input, y, note)
