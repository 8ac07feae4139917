"""Max pooling: the slope of a window goes to the place that was largest."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attacks.invert.peeling.geometry import Geometry, Pair
from attacks.invert.peeling.rules.contract import Call, Routed, reads

Size = int | tuple[int, ...]


@dataclass(frozen=True)
class MaxPool(Routed):
    """Windows that do not overlap, so that every place has the slope of one window or none."""

    geometry: Geometry

    @property
    def windows(self) -> Tensor:
        """See `Routed.windows`."""
        owner = torch.full((self.geometry.places + 1,), -1)
        seen = self.geometry.seen()
        owner[seen.flatten()] = torch.arange(len(seen)).repeat_interleave(seen.shape[1])
        return owner[:-1]

    def pull(self, slope: Tensor) -> tuple[Tensor, ...]:
        """See `Routed.pull`."""
        owner = self.windows.to(slope.device)
        flat = torch.cat([slope.flatten(2), slope.new_zeros(*slope.shape[:2], 1)], 2)
        return (flat[:, :, owner].reshape(*slope.shape[:2], *self.geometry.size),)


@reads(nn.MaxPool2d)
def max_pool_module(call: Call) -> MaxPool:
    """The rule of `torch.nn.MaxPool2d`."""
    module = call.target
    assert isinstance(module, nn.MaxPool2d)
    if module.return_indices:
        raise call.refuse("max pooling that returns indices has no rule")
    return _pool(call, module.kernel_size, module.stride, module.padding, module.dilation)


@reads(F.max_pool2d)
def max_pool_function(call: Call) -> MaxPool:
    """The rule of `torch.nn.functional.max_pool2d`."""
    options = (("kernel_size", None), ("stride", None), ("padding", 0), ("dilation", 1))
    return _pool(call, *(call.option(k, n, d) for k, (n, d) in enumerate(options, start=1)))


def _pool(call: Call, kernel: Size, stride: Size | None, padding: Size, dilation: Size) -> MaxPool:
    size = (call.fed[0][1], call.fed[0][2])
    window = _pair(kernel)
    step = window if stride is None else _pair(stride)
    if any(s < k for s, k in zip(step, window, strict=True)):
        raise call.refuse("max pooling whose windows overlap has no rule")
    if _pair(dilation) != (1, 1):
        raise call.refuse("max pooling with dilation has no rule")
    rule = MaxPool(Geometry(size, window, step, _pair(padding)))
    if rule.geometry.output != tuple(call.shape[1:]):
        raise call.refuse("max pooling that rounds its size up has no rule")
    return rule


def _pair(value: Size) -> Pair:
    return (value, value) if isinstance(value, int) else (value[0], value[1])
