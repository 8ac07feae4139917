"""A linear layer on vectors: its weight gradient is a sum of outer products."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from attacks.invert.peeling.rules.contract import Call, Weighted, reads


@dataclass(frozen=True, eq=False)
class Linear(Weighted):
    """dW[o, i] = sum_b dz[b, o] x[b, i]: one unknown a feature (Phong et al. 2018).

    Attributes:
        parameter: see `Weighted`.
        weight: (O, I), see `Weighted`.
        bias: name of the bias in the update; None when there is none.
    """

    parameter: str | None
    weight: Tensor
    bias: str | None = None

    @property
    def unknowns(self) -> int:
        """See `Weighted.unknowns`."""
        return 1

    @property
    def equations(self) -> int:
        """See `Weighted.equations`."""
        return len(self.weight)

    def pull(self, slope: Tensor) -> tuple[Tensor, ...]:
        """See `Rule.pull`."""
        return (slope @ self.weight.to(slope),)

    def system(self, slope: Tensor) -> Tensor:
        """See `Weighted.system`."""
        return slope.T

    def right(self, gradient: Tensor) -> Tensor:
        """See `Weighted.right`."""
        return gradient


@reads(nn.Linear)
def linear(call: Call) -> Linear:
    """The rule of `torch.nn.Linear` on one vector per example."""
    module = call.target
    assert isinstance(module, nn.Linear)
    if len(call.shape) != 1:
        raise call.refuse(f"a linear layer on {call.shape[0]} vectors per example has no rule")
    weight = module.weight.detach()
    bias = call.parameters.get(id(module.bias))
    return Linear(call.parameters.get(id(module.weight)), weight, bias)
