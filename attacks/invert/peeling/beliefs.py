"""Input and gates of the top convolution as beliefs: a Gaussian, and chances.

Variational Bayes (Attias 1999) for the product of a Gaussian input and of gates that are open or
closed, each with the misfit that the other's errors are expected to leave.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from attacks.invert.peeling.moments import Moments
from attacks.invert.peeling.odds import Odds, shares_of, slope_products
from attacks.invert.peeling.top import Top, TopPrior

TURNS = 2
"""Of gates and input, in each round."""
POOLED = 0.5
"""How much the common misfit counts beside a channel's own, when that is told."""
UNSURE = 0.03
"""Share of the chances that stays with every gate alike, whatever the image says."""
BEGIN = 1e-2
"""Relative misfit that is taken for noise in the first turn, so that gates are chosen at all."""
PRECISION = 1e-6
"""Of a gradient in float32: misfit below it says nothing."""


@dataclass
class Beliefs:
    """Input and gates.

    Attributes:
        top: what the release says.
        begin: of input and gates, in the first round.
        certain: (O, windows) bool, pooling windows that are known to let something through.
        residual: what the expected ones leave of the gradient, relative.
    """

    top: Top
    begin: TopPrior
    certain: Tensor | None
    residual: float = 1.0
    noise: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.moments = Moments(self.top)
        self.slope = (self.top.slope / self.top.sizes).float()
        self.count = self.top.seen.sum(1).float()
        self.power = self.moments.value.square().sum(1)
        least = (self.top.noise / self.top.sizes[:, 0]).square().float()
        self.least = least.clamp(min=PRECISION**2 * float(self.power.sum() / self.count.sum()))
        common = BEGIN**2 * self.power.sum() / self.count.sum()
        self.noise = torch.maximum(common.expand_as(self.least), self.least)
        self._lay(self.begin.inputs, self.begin.inputs_variance, self.begin.gates)

    def expect(self, inputs: Tensor, variance: float, chances: Tensor) -> None:
        """Begin anew from inputs (I, P) with a variance and chances (O, n) of gates."""
        possible = (self.top.slope != 0).to(chances)
        members = 1 if self.top.windows is None else self.top.members.sum(0).max()
        even = possible * (0.5 if self.top.windows is None else 1 / float(members))
        self._lay(inputs, torch.full_like(inputs, variance), chances * (1 - UNSURE) + UNSURE * even)

    def _lay(self, inputs: Tensor, variance: Tensor, chances: Tensor) -> None:
        variance = variance.clamp(min=2.5e-3 * float(variance.mean())).float()
        self.mean, self.precision = inputs.float(), 1 / variance
        self.inputs, self.covariance = self.mean, torch.diag_embed(variance)
        self.shares = chances.float()
        self.odds = Odds.of(self.top, self.shares, self.certain)

    @property
    def error(self) -> float:
        """Standard deviation of the inputs."""
        return math.sqrt(float(self.covariance.diagonal(dim1=1, dim2=2).mean()))

    def turn(self) -> None:
        """Gates and input, each given the other."""
        for turn in range(TURNS):
            patches, pulls = self.moments.of_patches(self.inputs, self.covariance)
            if turn:
                self.noise = self._noise(patches, pulls)
            given = self.slope, self.odds, patches, pulls, self.noise
            self.shares = shares_of(self.top, *given)
            self._solve(self.noise)

    def _noise(self, patches: Tensor, pulls: Tensor) -> Tensor:
        """(O,) variance of what is left of the gradient, some of it common to all channels."""
        both = slope_products(self.top, self.slope, self.shares)
        left = self.power - 2 * (pulls * self.slope * self.shares).sum(1)
        left = (left + (patches * both).sum((1, 2))).clamp(min=0)
        self.residual = float(left.sum() / self.power.sum()) ** 0.5
        each = left + POOLED * left.mean()
        return torch.maximum(each / (self.count + POOLED * self.count.mean()), self.least)

    def _solve(self, noise: Tensor) -> None:
        both = slope_products(self.top, self.slope, self.shares)
        rows, pull = self.moments.of_slopes(self.slope * self.shares, both, 1 / noise)
        factor = torch.linalg.cholesky_ex((rows + torch.diag_embed(self.precision)).double())[0]
        right = (pull + self.precision * self.mean).double()[..., None]
        self.inputs = torch.cholesky_solve(right, factor)[..., 0].float()
        self.covariance = torch.cholesky_inverse(factor).float()
