"""ReLU and LeakyReLU: the slope goes on where the input was positive."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attacks.invert.peeling.rules.contract import Call, Routed, reads


@dataclass(frozen=True)
class ReLU(Routed):
    """max(x, slope * x) entry by entry."""

    slope: float = 0.0

    @property
    def leak(self) -> float:
        """See `Routed.leak`."""
        return self.slope

    def pull(self, slope: Tensor) -> tuple[Tensor, ...]:
        """See `Routed.pull`."""
        return (slope,)

    def lift(self, output: Tensor) -> tuple[Tensor, ...] | None:
        """See `Rule.lift`; a plain ReLU has forgotten what was negative."""
        return (torch.where(output > 0, output, output / self.slope),) if self.slope else None


@reads(nn.ReLU, F.relu, F.relu_, torch.relu, torch.relu_, "relu", "relu_")
def relu(call: Call) -> ReLU:
    """The rule of ReLU in all its spellings."""
    return ReLU()


@reads(nn.LeakyReLU)
def leaky_module(call: Call) -> ReLU:
    """The rule of `torch.nn.LeakyReLU`."""
    module = call.target
    assert isinstance(module, nn.LeakyReLU)
    return _leaky(call, module.negative_slope)


@reads(F.leaky_relu, F.leaky_relu_)
def leaky_function(call: Call) -> ReLU:
    """The rule of `torch.nn.functional.leaky_relu`."""
    return _leaky(call, call.option(1, "negative_slope", 0.01))


def _leaky(call: Call, slope: float) -> ReLU:
    if not 0 <= slope < 1:
        raise call.refuse(f"a leaky ReLU of slope {slope:g} has no rule; it must be in [0, 1)")
    return ReLU(float(slope))
