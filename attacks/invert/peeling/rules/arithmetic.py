"""Adding or multiplying by constants, as the layer does that normalises images."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import Tensor

from attacks.invert.peeling.rules.addition import Addition
from attacks.invert.peeling.rules.contract import Call, Fed, Rule, reads
from attacks.invert.peeling.rules.scaling import Scaling

PLUS = (operator.add, operator.iadd, torch.add, "add", "add_")
MINUS = (operator.sub, operator.isub, torch.sub, "sub", "sub_")
TIMES = (operator.mul, operator.imul, torch.mul, "mul", "mul_")
OVER = (operator.truediv, operator.itruediv, torch.div, "div", "div_")


@reads(*PLUS, *MINUS)
def plus(call: Call) -> Rule:
    """The rule of a sum or a difference, of two layers or of a layer and a constant."""
    sign = -1.0 if call.target in MINUS else 1.0
    left, right = call.arguments[:2]
    if len(call.arguments) > 2 or call.options:
        raise call.refuse("a sum with weights has no rule")
    if isinstance(left, Fed) and isinstance(right, Fed):
        if call.fed[0] != call.fed[1]:
            raise call.refuse("a sum of different shapes has no rule")
        return Addition((1.0, sign))
    if isinstance(left, Fed):
        return _scaling(call, 1.0, sign * _constant(call, right))
    return _scaling(call, sign, _constant(call, left))


@reads(*TIMES, *OVER)
def times(call: Call) -> Scaling:
    """The rule of multiplying or dividing a layer by a constant."""
    left, right = call.arguments[:2]
    if len(call.arguments) > 2 or call.options or (isinstance(left, Fed) == isinstance(right, Fed)):
        raise call.refuse("a product of two layers has no rule")
    if call.target in OVER:
        if not isinstance(left, Fed):
            raise call.refuse("dividing by a layer has no rule")
        return _scaling(call, 1.0 / _constant(call, right), 0.0)
    return _scaling(call, _constant(call, right if isinstance(left, Fed) else left), 0.0)


def _constant(call: Call, value: Any) -> Tensor:
    if not isinstance(value, Tensor | int | float):
        raise call.refuse(f"arithmetic with a {type(value).__name__} has no rule")
    return torch.as_tensor(value).detach().double()


def _scaling(call: Call, scale: Tensor | float, shift: Tensor | float) -> Scaling:
    if call.fed[0] != call.shape:
        raise call.refuse("a constant that changes the shape has no rule")
    factor = torch.as_tensor(scale, dtype=torch.float64)
    if not bool(torch.all((factor != 0) & torch.isfinite(factor))):
        raise call.refuse("a product with 0 or an infinite constant has no rule")
    return Scaling(factor, torch.as_tensor(shift, dtype=torch.float64))
