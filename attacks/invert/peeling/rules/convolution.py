"""A convolution: its weight gradient correlates what it was fed with the slope at its output."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.grad import conv2d_input

from attacks.invert.peeling.geometry import Geometry
from attacks.invert.peeling.rules.contract import Call, Weighted, reads


@dataclass(frozen=True, eq=False)
class Convolution(Weighted):
    """(B, I, H, W) -> (B, O, h, w); see `Geometry.system` for its equations."""

    parameter: str | None
    weight: Tensor
    geometry: Geometry

    @property
    def unknowns(self) -> int:
        """See `Weighted.unknowns`."""
        return self.geometry.places

    @property
    def equations(self) -> int:
        """See `Weighted.equations`."""
        return len(self.weight) * self.geometry.taps

    def pull(self, slope: Tensor) -> tuple[Tensor, ...]:
        """See `Rule.pull`."""
        shape = (len(slope), self.weight.shape[1], *self.geometry.size)
        g = self.geometry
        back = conv2d_input(shape, self.weight.to(slope), slope, g.stride, g.padding, g.dilation)
        return (back,)

    def push(self, fed: Tensor) -> Tensor:
        """(B, O, h, w) what the convolution gives, its bias apart."""
        g = self.geometry
        return F.conv2d(fed, self.weight.to(fed), None, g.stride, g.padding, g.dilation)

    def system(self, slope: Tensor) -> Tensor:
        """See `Weighted.system`."""
        return self.geometry.system(slope)

    def right(self, gradient: Tensor) -> Tensor:
        """See `Weighted.right`."""
        return gradient.flatten(2).transpose(1, 2).flatten(0, 1)


@reads(nn.Conv2d)
def convolution(call: Call) -> Convolution:
    """The rule of `torch.nn.Conv2d` with zero padding and one group."""
    module = call.target
    assert isinstance(module, nn.Conv2d)
    if module.groups != 1:
        raise call.refuse(f"a convolution of {module.groups} groups has no rule")
    padding = module.padding
    if padding == "valid":
        padding = (0, 0)
    if module.padding_mode != "zeros" or isinstance(padding, str):
        raise call.refuse(f"padding {module.padding!r} {module.padding_mode} has no rule")
    pairs = [module.kernel_size, module.stride, padding, module.dilation]
    rows = [(int(p[0]), int(p[1])) for p in pairs]
    geometry = Geometry((call.fed[0][1], call.fed[0][2]), *rows)
    weight = module.weight.detach()
    return Convolution(call.parameters.get(id(module.weight)), weight, geometry)
