"""Image, top features and gates of the adversary's own images, in joint principal components.

Where a mask or noise leaves fewer equations than unknowns, a few hundred scores are still told:
the picture that goes with them is a guess by itself, and where to begin for all that is finer.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.invert.matching.clock import Clock
from attacks.invert.matching.lbfgs import lbfgs
from attacks.invert.matching.meter import spend
from attacks.invert.peeling.top import Top, lay_beside

COMPONENTS = 200
IMAGE_WEIGHT = 0.3
"""Of the image beside inputs and gates, each with total variance 1."""
STRENGTH = 1e-2
"""Of the scores' own prior, N(0, 1) each, beside the relative squared misfit."""


@dataclass(frozen=True)
class Latent:
    """Means and one direction per component, of what one score moves together.

    Attributes:
        inputs: (K + 1, I, P), the mean first.
        gates: (K + 1, O, n).
        images: (K + 1, C, H, W).
    """

    inputs: Tensor
    gates: Tensor
    images: Tensor

    @classmethod
    def fit(
        cls, inputs: Tensor, gates: Tensor, images: Tensor, components: int = COMPONENTS
    ) -> Latent:
        """Principal components of N images with their inputs (N, I, P) and gates (N, O, n).

        Scores have variance 1 over these images.
        """
        count = len(images)
        kinds = [t.float() for t in (inputs, gates, images)]
        means = [t.mean(0) for t in kinds]
        centred = [(t - m).flatten(1) for t, m in zip(kinds, means, strict=True)]
        gram = centred[0].new_zeros(count, count, dtype=torch.float64)
        for part, weight in zip(centred, (1.0, 1.0, IMAGE_WEIGHT**2), strict=True):
            share = (part @ part.T).double()
            gram += weight * share / share.diagonal().sum().clamp(min=1e-300)
        axes = torch.linalg.eigh(gram).eigenvectors.flip(1)
        scores = axes[:, : min(components, count - 1)].float() * count**0.5
        bases = [
            torch.cat([mean[None], (scores.T @ part / count).reshape(-1, *mean.shape)])
            for mean, part in zip(means, centred, strict=True)
        ]
        return cls(*bases)

    def at(self, places: Tensor) -> Latent:
        """The same with the gates at some of the outputs alone, (n,) int64."""
        return Latent(self.inputs, self.gates[..., places], self.images)

    def decode(self, scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Scores (B, K) -> inputs (I, B * P), gates (O, B * n), images (B, C, H, W)."""
        with_mean = torch.cat([scores.new_ones(len(scores), 1), scores], 1).float()
        inputs, gates, images = (
            (with_mean @ basis.flatten(1)).reshape(-1, *basis.shape[1:])
            for basis in (self.inputs, self.gates, self.images)
        )
        return lay_beside(inputs), lay_beside(gates), images

    def match(self, top: Top, *, evaluations: int, clock: Clock) -> tuple[Tensor, int]:
        """The scores (B, K) that explain the gradient best, and evaluations spent on each example.

        Args:
            top: what the release says of the top convolution.
            evaluations: at most this many.
            clock: guards them.
        """
        slope, value = (top.slope / top.sizes).float(), (top.value / top.sizes).float()
        seen = top.seen.float()
        total = float(value.square().sum())

        def energy(scores: Tensor) -> Tensor:
            spend(top.examples)
            inputs, gates, _ = self.decode(scores)
            left = (slope * gates) @ top.unfold(inputs) * seen - value
            return left.square().sum() / total + STRENGTH * scores.square().mean()

        shape = top.examples, len(self.inputs) - 1
        start = self.inputs.new_zeros(shape, dtype=torch.float64)
        found = lbfgs(energy, start, evaluations=evaluations, clock=clock)
        return found.point.detach(), found.evaluations
