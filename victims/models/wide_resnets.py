"""Wide ResNets for DP training: GroupNorm and weight standardisation (De et al. 2022)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

GROUPS = 16


class StandardisedConv(nn.Conv2d):
    """A convolution whose weight is standardised per output channel (Qiao et al. 2019)."""

    def __init__(self, channels: int, out: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(channels, out, kernel, stride, kernel // 2, bias=True)
        self.gain = nn.Parameter(torch.ones(out, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Args: x (B, channels, H, W). Returns: (B, out, H / stride, W / stride)."""
        weight: Tensor = _Standardised.apply(self.weight, self.gain)
        return F.conv2d(x, weight, self.bias, self.stride, self.padding)


def unit_rows(weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(out, in, h, w) of zero mean and unit norm per row; 1 / norm; whether that was no floor."""
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


class WideBlock(nn.Module):
    """Pre-activation block: norm, ReLU, conv, twice, around a shortcut."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(GROUPS, channels)
        self.conv1 = StandardisedConv(channels, out, 3, stride)
        self.norm2 = nn.GroupNorm(GROUPS, out)
        self.conv2 = StandardisedConv(out, out, 3)
        self.shortcut: nn.Module | None = None
        if stride != 1 or channels != out:
            self.shortcut = StandardisedConv(channels, out, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Args: x (B, channels, H, W). Returns: (B, out, H / stride, W / stride)."""
        y = F.relu(self.norm1(x))
        kept = x if self.shortcut is None else self.shortcut(y)
        y = self.conv1(y)
        out: Tensor = self.conv2(F.relu(self.norm2(y))) + kept
        return out


class GlobalMean(nn.Module):
    """Mean over the pixels; vmap has no rule for torch's adaptive pooling and loops."""

    def forward(self, x: Tensor) -> Tensor:
        """Args: x (B, channels, H, W). Returns: (B, channels)."""
        return x.mean((2, 3))


def wide_resnet(
    depth: int, width: int, image_shape: tuple[int, int, int], classes: int
) -> nn.Module:
    """WRN-``depth``-``width`` for images of about 32x32 (Zagoruyko and Komodakis 2016)."""
    channels, blocks = 16, (depth - 4) // 6
    layers: list[nn.Module] = [StandardisedConv(image_shape[0], channels)]
    for out, stride in ((16 * width, 1), (32 * width, 2), (64 * width, 2)):
        for block in range(blocks):
            layers.append(WideBlock(channels, out, stride if block == 0 else 1))
            channels = out
    head = [nn.GroupNorm(GROUPS, channels), nn.ReLU(), GlobalMean()]
    return nn.Sequential(*layers, *head, nn.Linear(channels, classes))


def wrn_16_4(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """WRN-16-4, the CIFAR model of De et al. (2022) at epsilon 1 to 8."""
    return wide_resnet(16, 4, image_shape, classes)


def wrn_40_4(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """WRN-40-4, their most accurate CIFAR-10 model."""
    return wide_resnet(40, 4, image_shape, classes)


def wrn_28_10(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """WRN-28-10, their model for fine-tuning on CIFAR-100."""
    return wide_resnet(28, 10, image_shape, classes)
