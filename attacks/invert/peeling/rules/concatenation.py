"""Layers side by side, as in a dense block: each has its part of the slope."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.invert.peeling.rules.contract import Call, Fed, Rule, reads


@dataclass(frozen=True)
class Concatenation(Rule):
    """Along the channels."""

    channels: tuple[int, ...]

    def pull(self, slope: Tensor) -> tuple[Tensor, ...]:
        """See `Rule.pull`."""
        return tuple(torch.split(slope, list(self.channels), 1))

    def lift(self, output: Tensor) -> tuple[Tensor, ...]:
        """See `Rule.lift`."""
        return self.pull(output)


@reads(torch.cat, torch.concat)
def concatenation(call: Call) -> Concatenation:
    """The rule of `torch.cat` of layers along their channels."""
    parts = call.arguments[0]
    axis = call.option(1, "dim", 0)
    if axis % (len(call.shape) + 1) != 1 or not all(isinstance(p, Fed) for p in parts):
        raise call.refuse("only layers are put side by side, along their channels")
    return Concatenation(tuple(shape[0] for shape in call.fed))
