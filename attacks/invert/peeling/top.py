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


@dataclass(frozen=True)
class Top:
    """The gradient of the first convolution from above whose output slope is not known.

    Known is the slope that every output would have if its gate were open: if its unit were on,
    or if it were the largest of its pooling window. Only the n outputs that anything above
    looks at are kept. One example.

    Attributes:
        geometry: of the convolution.
        places: (n,) int64, these outputs among all.
        slope: (O, n) float64, of the loss there, were the gate open.
        value: (O, I * taps) float64, gradient of the weights, 0 where it is not seen.
        seen: (O, I * taps) bool.
        windows: (n,) int64, the pooling window of each place, of whose gates one at most is
            open; None where gates are those of a ReLU.
        noise: std of the noise on ``value``.
    """

    geometry: Geometry
    places: Tensor
    slope: Tensor
    value: Tensor
    seen: Tensor
    windows: Tensor | None = None
    noise: float = 0.0

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
        """From the slope at every output, (O, Q), and the weight's gradient, (O, I, rows, columns).

        ``windows`` is (Q,), -1 where no window looks.
        """
        looked_at = slope.abs().sum(0) > 0
        places = looked_at.nonzero()[:, 0]
        value = (gradient.double() * seen).flatten(1)
        own = None if windows is None else windows.to(places.device)[places]
        return cls(geometry, places, slope.double()[:, places], value, seen.flatten(1), own, noise)

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
        inputs = self.channels * self.geometry.places
        return self.equations - inputs - int((self.slope != 0).sum())

    @property
    def told_channels(self) -> Tensor:
        """(I,) bool, input channels whose rows that are seen outnumber their places by far."""
        rows = self.by_channel(self.seen).sum(0)
        return rows >= SPARE * self.geometry.places

    @cached_property
    def members(self) -> Tensor:
        """(n, windows) bool, which places belong to which pooling window."""
        assert self.windows is not None
        return F.one_hot(self.windows, int(self.windows.max()) + 1).bool()

    def unfold(self, inputs: Tensor) -> Tensor:
        """(..., I, P) -> (..., n, I * taps): a patch for each of the places."""
        shape = inputs.shape[:-2]
        maps = inputs.reshape(-1, self.channels, *self.geometry.size)
        patches = self.geometry.unfold(maps)
        if len(self.places) < patches.shape[1]:
            patches = patches[:, self.places]
        return patches.reshape(*shape, *patches.shape[1:])

    def system(self, opened: Tensor) -> Tensor:
        """(O, n) slopes -> (O * taps, P), the equations of every input channel."""
        every = opened.new_zeros(len(opened), self.geometry.output[0] * self.geometry.output[1])
        every[:, self.places] = opened
        return self.geometry.system(every.reshape(1, len(opened), *self.geometry.output))

    def by_channel(self, values: Tensor) -> Tensor:
        """(O, I * taps) -> (O * taps, I), a right-hand side of `system` for every channel."""
        rows = values.reshape(len(values), self.channels, self.geometry.taps).transpose(1, 2)
        return rows.reshape(-1, self.channels)

    def gates(self, opened: Tensor) -> Tensor:
        """(O, n) slopes as shares of those of open gates; 0 where these are 0."""
        whole = torch.where(self.slope != 0, self.slope, 1).to(opened)
        return torch.where(self.slope != 0, opened / whole, 0)


@dataclass(frozen=True)
class TopPrior:
    """Means and variances over the adversary's own images.

    Attributes:
        inputs: (I, P), mean input of the convolution.
        inputs_variance: (I, P).
        gates: (O, n), share of the images whose gate is open.
        gates_variance: (O, n).
    """

    inputs: Tensor
    inputs_variance: Tensor
    gates: Tensor
    gates_variance: Tensor
