"""Layers that do nothing in eval mode."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attacks.invert.peeling.rules.contract import Call, Rule, reads


@dataclass(frozen=True)
class Identity(Rule):
    """What comes out is what was fed."""

    def pull(self, slope: Tensor) -> tuple[Tensor, ...]:
        """See `Rule.pull`."""
        return (slope,)

    def lift(self, output: Tensor) -> tuple[Tensor, ...]:
        """See `Rule.lift`."""
        return (output,)

    @property
    def pointwise(self) -> bool:
        """See `Rule.pointwise`."""
        return True


@reads(nn.Identity)
def identity(call: Call) -> Identity:
    """The rule of `torch.nn.Identity`."""
    return Identity()


@reads("clone", torch.clone, "contiguous")
def copying(call: Call) -> Identity:
    """The rule of a copy, such as a model of the user's own is given of its images."""
    return Identity()


@reads(nn.Dropout, nn.Dropout2d)
def dropout_module(call: Call) -> Identity:
    """The rule of dropout that is switched off."""
    assert isinstance(call.target, nn.Module)
    if call.target.training and call.target.p:
        raise call.refuse("dropout in training mode has no rule")
    return Identity()


@reads(F.dropout, F.dropout2d)
def dropout_function(call: Call) -> Identity:
    """The rule of functional dropout that is switched off."""
    if call.option(2, "training", True) and call.option(1, "p", 0.5):
        raise call.refuse("dropout in training mode has no rule")
    return Identity()
