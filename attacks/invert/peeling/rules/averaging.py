"""Average pooling, adaptive or not, and the mean over an image's places."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attacks.invert.peeling.rules.contract import Call, Fed, Rule, Shape, adjoint, reads


@dataclass(frozen=True)
class Averaging(Rule):
    """A linear map without weights from one shape to another."""

    apply: Callable[[Tensor], Tensor]
    fed: Shape

    def pull(self, slope: Tensor) -> tuple[Tensor, ...]:
        """See `Rule.pull`."""
        return adjoint(self.apply, (self.fed,), slope)


@reads(nn.AvgPool2d, nn.AdaptiveAvgPool2d)
def average_module(call: Call) -> Averaging:
    """The rule of average pooling modules."""
    module = call.target
    assert isinstance(module, nn.Module)
    return Averaging(module, call.fed[0])


@reads(F.avg_pool2d, F.adaptive_avg_pool2d)
def average_function(call: Call) -> Averaging:
    """The rule of average pooling functions."""
    return _with_options(call, call.target)  # type: ignore[arg-type]


@reads("mean", torch.mean)
def mean(call: Call) -> Averaging:
    """The rule of a mean over places."""
    axes = call.option(1, "dim", None)
    every = [axes] if isinstance(axes, int) else list(axes or [])
    if not every or any(a % (len(call.fed[0]) + 1) == 0 for a in every):
        raise call.refuse("a mean over the batch has no rule")
    return _with_options(call, torch.mean)


def _with_options(call: Call, function: Callable[..., Tensor]) -> Averaging:
    assert isinstance(call.arguments[0], Fed)
    rest, options = call.arguments[1:], dict(call.options)
    return Averaging(lambda x: function(x, *rest, **options), call.fed[0])
