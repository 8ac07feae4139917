"""Group normalisation: how it scales depends on what it was fed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from attacks.invert.peeling.rules.contract import Call, Rule, reads


@dataclass(frozen=True, eq=False)
class GroupNorm(Rule):
    """weight * (x - mean) / deviation + bias, both of a group of one example (Wu and He 2018).

    Attributes:
        groups: of channels, G.
        weight: (C, 1, 1) float64, no entry is 0.
        bias: (C, 1, 1) float64.
        epsilon: is added to a group's variance, whose root is the deviation.
    """

    groups: int
    weight: Tensor
    bias: Tensor
    epsilon: float

    def pull(self, slope: Tensor) -> None:
        """See `Rule.pull`: nothing, as what it was fed decides; see `pull_at`."""
        return None

    def normal(self, output: Tensor) -> Tensor:
        """(B, C, h, w) what it gave, before weight and bias."""
        return (output - self.bias.to(output)) / self.weight.to(output)

    def pull_at(self, slope: Tensor, normal: Tensor) -> Tensor:
        """The slope at what it was fed, times the deviation of each group.

        Args:
            slope: (B, C, h, w) of the loss at what it gave.
            normal: (B, C, h, w) of what it gave, see `normal`.
        """
        by_group = (len(slope), self.groups, -1)
        along = (slope * self.weight.to(slope)).reshape(by_group)
        flat = normal.reshape(by_group)
        share = (along * flat).mean(2, keepdim=True)
        return (along - along.mean(2, keepdim=True) - flat * share).reshape(slope.shape)


@reads(nn.GroupNorm)
def group_norm(call: Call) -> GroupNorm:
    """The rule of `torch.nn.GroupNorm` on maps."""
    module = call.target
    assert isinstance(module, nn.GroupNorm)
    if len(call.shape) != 3:
        raise call.refuse("group normalisation of what is no map has no rule")
    plain = torch.ones(module.num_channels, 1, 1, dtype=torch.float64)
    weight, bias = plain, 0 * plain
    if module.affine:
        weight = module.weight.detach().double().reshape(-1, 1, 1)
        bias = module.bias.detach().double().reshape(-1, 1, 1)
    if not bool(torch.all(weight != 0)):
        raise call.refuse("group normalisation with a weight of 0 has no rule")
    return GroupNorm(module.num_groups, weight, bias, module.eps)
