"""Batch normalisation in eval mode: an affine map of each channel."""

from __future__ import annotations

import torch
from torch import nn

from attacks.invert.peeling.rules.contract import Call, reads
from attacks.invert.peeling.rules.scaling import Scaling


@reads(nn.BatchNorm1d, nn.BatchNorm2d)
def batch_norm(call: Call) -> Scaling:
    """The rule of batch normalisation by running statistics."""
    module = call.target
    assert isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)
    if module.training or module.running_var is None or module.running_mean is None:
        raise call.refuse("batch normalisation by the batch's own statistics has no rule")
    scale = (module.running_var.double() + module.eps).rsqrt()
    shift = -module.running_mean.double() * scale
    if module.weight is not None:
        weight, bias = module.weight.detach().double(), module.bias.detach().double()
        scale, shift = scale * weight, shift * weight + bias
    if not bool(torch.all(scale != 0)):
        raise call.refuse("batch normalisation with a weight of 0 has no rule")
    shape = (1, -1) + (1,) * (len(call.shape) - 1)
    return Scaling(scale.reshape(shape), shift.reshape(shape))
