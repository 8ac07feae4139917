"""At which drop rate each layer's equations run out, and with them the picture."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from attacks.invert.peeling.expected import enough, rate_of, share_told

OUTER = "outer product"
GATES = "gates too"
SLOPE = "slope known"


@dataclass(frozen=True)
class Cliff:
    """Unknowns and equations of the input of some layers, all channels and examples together.

    Attributes:
        layers: titles of the layers whose weights' gradients hold the equations.
        kind: what is unknown. `OUTER`: a linear layer of one example, its input and the slopes at
            its output. `GATES`: the input, and which outputs of the first layer pass their slope
            on. `SLOPE`: the input alone.
        unknowns: numbers that are sought.
        equations: numbers that a release without a mask gives.
        values: how many of the unknowns are the layer's input.
        told: whether equations can tell the unknowns at all. The last layer's gradient of a batch
            is a sum of outer products, the same for every mixing of the examples.
        rows: of an outer product: outputs whose slope is not 0. Of weights that are symmetric
            around 0, as before training, a ReLU passes on half.
        channels: of `SLOPE`: systems with an unknown share of the input each, all alike.
        parts: of each of these, (unknowns, equations) of what it falls into; see `Count`.
        pixels: whether the input is the picture itself, each pixel scaled by itself.
    """

    layers: tuple[str, ...]
    kind: str
    unknowns: int
    equations: int
    values: int
    told: bool = True
    rows: int = 0
    channels: int = 1
    parts: tuple[tuple[int, int], ...] = ()
    pixels: bool = False

    @property
    def rate(self) -> float:
        """The share of coordinates that may be dropped before equations run out; 0 when at once.

        By the mean: as many equations are expected to be left as there are unknowns.
        """
        return max(0.0, 1 - self.unknowns / self.equations) if self.told else 0.0

    def left(self, rate: float) -> int:
        """Equations that are expected at a drop rate."""
        return round((1 - rate) * self.equations)

    def share(self, rate: float) -> float:
        """Share of the input's values that are expected to be told, the slopes above known."""
        if not self.told:
            return 0.0
        if self.kind == OUTER:
            return share_told(self.rows, self.values, rate)
        if self.kind == GATES:
            return enough(self.unknowns, self.equations, rate)
        total = sum(u for u, _ in self.parts)
        return sum(u * enough(u, e, rate) for u, e in self.parts) / total

    def whole(self, rate: float) -> float:
        """Chance that all of it is told, so that the slope below is known."""
        if self.kind != SLOPE:
            return self.share(rate)
        return math.prod(enough(u, e, rate) for u, e in self.parts) ** self.channels

    @property
    def falls(self) -> tuple[float, float]:
        """The drop rates at which one value is expected to be missing, and half of them."""
        least = (1 - 1 / self.values, 0.5)
        return rate_of(self.share, least[0]), rate_of(self.share, least[1])


@dataclass(frozen=True)
class Picture:
    """What the layers together say of a picture.

    Attributes:
        layers: see `cliffs`.
        pixels: values of all pictures of the batch.
    """

    layers: tuple[Cliff, ...]
    pixels: int

    def share(self, rate: float) -> float:
        """Expected share of a layer that says as much as the picture; of the best of them."""
        return max((told for _, told in self._shares(rate)), default=0.0)

    @property
    def falls(self) -> tuple[float, float] | None:
        """The drop rates at which one value is expected to be missing, and half of them.

        None where no layer that can be solved is that large: then only the whole update can tell.
        """
        if self.share(0.0) < 0.5:
            return None
        return rate_of(self.share, 1 - 1 / self.pixels), rate_of(self.share, 0.5)

    def seen(self, rate: float) -> float:
        """Expected share of the pixels that a layer which is fed with them tells by itself."""
        return max((told for layer, told in self._shares(rate) if layer.pixels), default=0.0)

    def gain(self, rate: float) -> float:
        """How far above a guess of the missing pixels the PSNR is expected to be, in dB.

        Infinite where less than one of them is expected to be missing.
        """
        missing = 1 - self.seen(rate)
        return math.inf if missing * self.pixels < 1 else -10 * math.log10(missing)

    def _shares(self, rate: float) -> Iterator[tuple[Cliff, float]]:
        """Layers that say as much as the picture, and the share of each that is told.

        A layer can be solved only below those above it; a linear one of one example is no
        obstacle, whose slopes survive every mask.
        """
        above = 1.0
        for layer in self.layers:
            if layer.values >= self.pixels:
                yield layer, above * layer.share(rate)
            if layer.kind != OUTER:
                above *= layer.whole(rate)


def update_cliff(coordinates: int, pixels: int) -> float:
    """The drop rate at which an update has as many coordinates left as the pictures have pixels."""
    return max(0.0, 1 - pixels / coordinates)
