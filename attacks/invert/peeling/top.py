"""What a release says of the top convolution, and what the adversary believes of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from attacks.invert.peeling.gather import SPARE
from attacks.invert.peeling.geometry import Geometry

LEFT_OUT = 0.35
"""Share of the variance of inputs that the components leave out."""
LEAST_SPREAD = 0.03
"""Variance of a gate that the components are sure of."""


@dataclass(frozen=True)
class Top:
    """The gradient of the first convolution from above whose output slope is not known.

    Known is the slope that every output would have if its gate were open: if its unit were on,
    or if it were the largest of its pooling window. Only the n outputs that anything above
    looks at are kept. The outputs of the B examples of a batch stand side by side, example by
    example, as do the P places of what each was fed.

    Attributes:
        geometry: of the convolution.
        places: (n,) int64, these outputs among all of one example.
        slope: (O, B * n) float64, of the loss there, were the gate open.
        value: (O, I * taps) float64, gradient of the weights, 0 where it is not seen.
        seen: (O, I * taps) bool.
        windows: (B * n,) int64, the pooling window of each place, of whose gates one at most is
            open; None where gates are those of a ReLU.
        noise: std of the noise on ``value``.
        examples: B.
    """

    geometry: Geometry
    places: Tensor
    slope: Tensor
    value: Tensor
    seen: Tensor
    windows: Tensor | None = None
    noise: float = 0.0
    examples: int = 1

    @classmethod
    def of(
        cls,
        geometry: Geometry,
        slope: Tensor,
        gradient: Tensor,
        seen: Tensor,
        windows: Tensor | None = None,
        noise: float = 0.0,
    ) -> Top:
        """From the slope at every output, (B, O, Q), and the weight's gradient, (O, I, h, w).

        ``windows`` is (Q,), -1 where no window looks.
        """
        looked_at = slope.abs().sum((0, 1)) > 0
        places = looked_at.nonzero()[:, 0]
        value = (gradient.double() * seen).flatten(1)
        own = None
        if windows is not None:
            first = torch.arange(len(slope), device=places.device)[:, None]
            one = windows.to(places.device)[places]
            own = (first * (int(windows.max()) + 1) + one).flatten()
        kept = lay_beside(slope.double()[:, :, places])
        return cls(geometry, places, kept, value, seen.flatten(1), own, noise, len(slope))

    @property
    def channels(self) -> int:
        """I, of the input."""
        return self.value.shape[1] // self.geometry.taps

    @cached_property
    def sizes(self) -> Tensor:
        """(O, 1) root mean square slope of each channel, none far below the median's."""
        each = self.slope.square().mean(1).sqrt()
        return each.clamp(min=max(0.1 * float(each.median()), 1e-300))[:, None]

    @property
    def floor(self) -> float:
        """The relative residual that the noise leaves by itself."""
        expected = self.noise * math.sqrt(self.equations)
        return expected / max(float(self.value.norm()), 1e-300)

    @property
    def equations(self) -> int:
        """Coordinates of the gradient that are seen."""
        return int(self.seen.sum())

    @property
    def spare(self) -> int:
        """By how many the equations outnumber inputs and gates; not positive: they run out."""
        inputs = self.channels * self.geometry.places * self.examples
        return self.equations - inputs - int((self.slope != 0).sum())

    @property
    def told_channels(self) -> Tensor:
        """(I,) bool, input channels whose rows that are seen outnumber their places by far."""
        rows = self.by_channel(self.seen).sum(0)
        return rows >= SPARE * self.geometry.places * self.examples

    @cached_property
    def members(self) -> Tensor:
        """(B * n, windows) bool, which places belong to which pooling window."""
        assert self.windows is not None
        return F.one_hot(self.windows, int(self.windows.max()) + 1).bool()

    def unfold(self, inputs: Tensor) -> Tensor:
        """(I, B * P) -> (B * n, I * taps): a patch for each of the places."""
        maps = inputs.reshape(self.channels, self.examples, *self.geometry.size).transpose(0, 1)
        return self.geometry.unfold(maps)[:, self.places].flatten(0, 1)

    def system(self, opened: Tensor) -> Tensor:
        """(O, B * n) slopes -> (O * taps, B * P), the equations of every input channel."""
        return self.geometry.system(self.everywhere(opened))

    def everywhere(self, opened: Tensor) -> Tensor:
        """(O, B * n) values at the places -> (B, O, h, w), 0 where nothing looks."""
        rows, columns = self.geometry.output
        every = opened.new_zeros(len(opened), self.examples, rows * columns)
        every[..., self.places] = opened.reshape(len(opened), self.examples, -1)
        return every.transpose(0, 1).reshape(self.examples, len(opened), rows, columns)

    def by_channel(self, values: Tensor) -> Tensor:
        """(O, I * taps) -> (O * taps, I), a right-hand side of `system` for every channel."""
        rows = values.reshape(len(values), self.channels, self.geometry.taps).transpose(1, 2)
        return rows.reshape(-1, self.channels)

    def gates(self, opened: Tensor) -> Tensor:
        """(O, B * n) slopes as shares of those of open gates; 0 where these are 0."""
        whole = torch.where(self.slope != 0, self.slope, 1).to(opened)
        return torch.where(self.slope != 0, opened / whole, 0)


@dataclass(frozen=True)
class TopPrior:
    """Means and variances over the adversary's own images.

    Attributes:
        inputs: (I, B * P), mean input of the convolution.
        inputs_variance: (I, B * P).
        gates: (O, B * n), share of the images whose gate is open.
        gates_variance: (O, B * n).
    """

    inputs: Tensor
    inputs_variance: Tensor
    gates: Tensor
    gates_variance: Tensor

    @classmethod
    def near(
        cls, top: Top, variance: Tensor, inputs: Tensor, gates: Tensor, certain: Tensor | None
    ) -> TopPrior:
        """Near the latent picture; gates of a window that is known to be open add up to one."""
        possible = top.slope != 0
        if top.windows is None:
            mean = gates.clamp(0.02, 0.98) * possible
        else:
            mean = gates.clamp(0.003, 1) * possible
            if certain is not None:
                members = top.members.to(mean)
                total = (mean @ members) @ members.T
                mean = torch.where(certain[:, top.windows], mean / total.clamp(min=1e-6), mean)
        spread = (mean * (1 - mean)).clamp(min=LEAST_SPREAD)
        return cls(inputs.clamp(min=0), LEFT_OUT * variance, mean, spread)


def lay_beside(values: Tensor) -> Tensor:
    """(B, R, n) -> (R, B * n): what each example has, side by side."""
    return values.transpose(0, 1).flatten(1)
