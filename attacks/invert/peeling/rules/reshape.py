"""Flattening and the like: the same values in the same order."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from attacks.invert.peeling.rules.contract import Call, Rule, Shape, reads


@dataclass(frozen=True)
class Reshape(Rule):
    """From one shape to another."""

    fed: Shape
    shape: Shape

    def pull(self, slope: Tensor) -> tuple[Tensor, ...]:
        """See `Rule.pull`."""
        return (slope.reshape(len(slope), *self.fed),)

    def lift(self, output: Tensor) -> tuple[Tensor, ...]:
        """See `Rule.lift`."""
        return (output.reshape(len(output), *self.fed),)


@reads(nn.Flatten, nn.Unflatten, torch.flatten, "flatten", "view", "reshape", torch.reshape)
@reads(torch.squeeze, "squeeze", torch.unsqueeze, "unsqueeze", "contiguous")
def reshape(call: Call) -> Reshape:
    """The rule of what leaves the order of an example's values as it is."""
    if math.prod(call.fed[0]) != math.prod(call.shape):
        raise call.refuse("what mixes the examples of a batch has no rule")
    return Reshape(call.fed[0], call.shape)
