"""An image that is brought nearer to what is believed of the top convolution's input."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.invert.matching.clock import Clock
from attacks.invert.matching.image_prior import SpectralPrior
from attacks.invert.matching.lbfgs import lbfgs
from attacks.invert.matching.meter import spend
from attacks.invert.peeling.open_chain import OpenChain
from attacks.invert.peeling.top import Top

MEMORY = 50


@dataclass
class Picture:
    """The image, in whitened coordinates, and what it gives.

    Attributes:
        chain: the convolution and what decides on its gates.
        prior: over images.
        code: (1, C, H, W).
        evaluations: at most so many.
        clock: ends it early.
        spent: evaluations.
    """

    chain: OpenChain
    prior: SpectralPrior
    code: Tensor
    evaluations: int
    clock: Clock
    spent: int = 0

    def __post_init__(self) -> None:
        fed = self.chain.layer.inputs[0]
        self.features = self.chain.graph.upto([fed], torch.float32)
        self.outputs = self.chain.graph.upto([fed, self.chain.deciding], torch.float32)

    @property
    def over(self) -> bool:
        """Whether nothing is left."""
        return self.spent >= self.evaluations or self.clock.over

    @property
    def image(self) -> Tensor:
        """(1, C, H, W) in [0, 1]."""
        return self.prior.decode(self.code).clamp(0, 1).detach()

    def match(self, inputs: Tensor, error: float, most: int) -> tuple[Tensor, Tensor]:
        """Bring the image nearer to an input (I, P) with an error; what it gives in its place.

        Returns:
            Input (I, P), and what decides on the gates (O, Q).
        """
        size = max(float(inputs.square().sum()), 1e-300)
        weight = error**2 / size

        def objective(code: Tensor) -> Tensor:
            spend(1)
            given = self.features(self.prior.decode(code))[0].flatten(2)[0]
            misfit = (given - inputs).square().sum().double() / size
            return misfit + weight * code.square().sum()

        allowed = max(1, min(most, self.evaluations - self.spent))
        found = lbfgs(objective, self.code, evaluations=allowed, clock=self.clock, memory=MEMORY)
        self.code, self.spent = found.point, self.spent + found.evaluations
        with torch.no_grad():
            given, outputs = self.outputs(self.image)
        return given.flatten(2)[0], outputs.flatten(2)[0]

    def moved(self, top: Top, gap: Tensor) -> float:
        """Standard deviation of what decides on the gates, were the input (I, P) off by so much."""
        moved: Tensor = (top.unfold(gap) @ self.chain.weight.flatten(1).T.to(gap)).T
        return float((moved * self.chain.scales.to(gap)[:, top.places]).std())
