"""Weight standardisation (Qiao et al. 2019), with slopes of both orders."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function


def standardised(weight: Tensor, gain: Tensor) -> Tensor:
    """(out, in, h, w) rows of zero mean and unit norm, times the gain (out, 1, 1, 1).

    A function that torch's modes see, so that one of them may have a rule for it
    (`victims.gradients.layer_rules`).
    """
    if has_torch_function((weight, gain)):
        seen: Tensor = handle_torch_function(standardised, (weight, gain), weight, gain)
        return seen
    rows: Tensor = _Standardised.apply(weight, gain)
    return rows


def unit_rows(weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(out, in, h, w) of zero mean and unit norm per row; 1 / norm; whether that was no floor.

    Args:
        weight: (out, in, h, w).
    """
    centred = weight - weight.mean((1, 2, 3), keepdim=True)
    square = centred.square().sum((1, 2, 3), keepdim=True)
    # Rows of unit norm, as He initialisation would make them up to its factor.
    scale = torch.rsqrt(square.clamp(min=1e-4))
    return centred * scale, scale, square > 1e-4


class _Standardised(torch.autograd.Function):
    """Rows of unit norm times the gain, with a slope that takes two passes instead of ten.

    The slope g of a row becomes (g - mean(g) - u <u, g>) gain / norm, for moving along 1 or along
    the row u itself changes nothing; recomputed from the saved weight, it can be differentiated.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(weight: Tensor, gain: Tensor) -> Tensor:
        return unit_rows(weight)[0] * gain

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, Tensor]:
        weight, gain = ctx.saved_tensors
        unit, scale, free = unit_rows(weight)
        along, across = _Projected.apply(slope, unit, scale * gain, free.to(slope))
        return across, along


def _project(slope: Tensor, unit: Tensor, scale: Tensor, free: Tensor) -> tuple[Tensor, Tensor]:
    """<u, g> (out, 1, 1, 1) and (g - mean(g) - u <u, g>) times ``scale``, as g is."""
    along = (slope * unit).sum((1, 2, 3), keepdim=True)
    middle = slope.mean((1, 2, 3), keepdim=True)
    return along, (slope - middle).sub(unit * (along * free)).mul(scale)


class _Projected(torch.autograd.Function):
    """`_project`, whose vmap goes example by example: each then stays in the cache."""

    @staticmethod
    def forward(*tensors: Tensor) -> tuple[Tensor, Tensor]:
        slope, unit, scale, free = tensors
        return _project(slope, unit, scale, free)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Any) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, ...]:
        pull = torch.func.vjp(_project, *ctx.saved_tensors)[1]
        grads: tuple[Tensor, ...] = pull(slopes)
        return grads

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], *tensors: Tensor
    ) -> tuple[tuple[Tensor, Tensor], tuple[int, int]]:
        if in_dims != (0, None, None, None) or tensors[0].device.type != "cpu":
            return torch.vmap(_project, in_dims)(*tensors), (0, 0)
        slopes, unit, scale, free = tensors
        along = slopes.new_empty(len(slopes), slopes.shape[1], 1, 1, 1)
        across = torch.empty_like(slopes)
        for slope, one, rest in zip(slopes, along, across, strict=True):
            torch.mul(slope, unit, out=rest)
            torch.sum(rest, (1, 2, 3), keepdim=True, out=one)
            torch.sub(slope, slope.mean((1, 2, 3), keepdim=True), out=rest)
            rest.addcmul_(unit, one * free, value=-1).mul_(scale)
        return (along, across), (0, 0)
